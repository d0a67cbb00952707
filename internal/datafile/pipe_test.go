//go:build unix

package datafile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/shale-search/shale/vector"
)

// fifo makes a pipe with a name.
func fifo(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// feed writes a file to a pipe once somebody opens it.
func feed(t *testing.T, pipe string, content []byte) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if w, err := os.OpenFile(pipe, os.O_WRONLY, 0); err == nil {
			_, _ = w.Write(content) // whoever reads may have had enough
			w.Close()
		}
	}()
	t.Cleanup(func() { <-done })
}

// TestPipes tests that a pipe is read as the same file would be, whether the format follows from its name, its first
// bytes or a prefix of the path.
func TestPipes(t *testing.T) {
	readers := map[string]func(string) (any, error){
		"vectors":   func(p string) (any, error) { return rowsOf(p) },
		"labels":    func(p string) (any, error) { return ReadLabels(p) },
		"filter":    func(p string) (any, error) { s, _, err := ReadFilter(p); return s, err },
		"neighbors": func(p string) (any, error) { return ReadNeighbors(p) },
	}
	for _, c := range []struct{ read, file, member string }{
		{"vectors", "rows_le_f4.npy", ""}, {"vectors", "rows_be_f8.npy", ""}, {"vectors", "rows.fbin", ""},
		{"vectors", "rows.i8bin", ""},
		{"vectors", "rows.fvecs", ""}, {"vectors", "rows.bvecs", ""}, {"vectors", "rows_half.parquet", ""},
		{"vectors", "rows.npz", ":rows"},
		{"labels", "labels_le_i8.npy", ""}, {"labels", "labels.txt", ""}, {"labels", "rows.npz", ""},
		{"filter", "labels_mask.npy", ""}, {"filter", "labels.txt", ""}, {"neighbors", "neighbors_i4.npy", ""},
		{"neighbors", "neighbors.ivecs", ""},
	} {
		t.Run(c.read+" "+c.file, func(t *testing.T) {
			read := readers[c.read]
			want, err := read(data(c.file) + c.member)
			if err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(data(c.file))
			if err != nil {
				t.Fatal(err)
			}
			ext := filepath.Ext(c.file)
			named := strings.TrimPrefix(ext, ".") + ":"
			if ext == ".txt" {
				named = "text:"
			}
			bare := fifo(t, "pipe")
			paths := map[string]string{} // and the pipes that they name
			if c.member == "" {          // which goes with the extension
				paths[named+bare] = bare
			}
			whole := fifo(t, "pipe"+ext)
			if ext != ".txt" {
				paths[whole+c.member] = whole
			}
			if strings.HasPrefix(string(content), npyMagic) || ext == ".txt" || ext == ".parquet" {
				sniffed := fifo(t, "sniffed")
				paths[sniffed] = sniffed
			}
			for path, pipe := range paths {
				feed(t, pipe, content)
				if got, err := read(path); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%s: %v, %v", path, got, err)
				}
			}
		})
	}
}

// rowsOf reads vectors as float32.
func rowsOf(path string) ([]float32, error) {
	m, err := ReadAll(path)
	if err != nil {
		return nil, err
	}
	out := make([]float32, m.Rows()*m.Dim())
	for i := range m.Rows() {
		m.Decode(i, out[i*m.Dim():(i+1)*m.Dim()])
	}
	return out, nil
}

// TestPipesThatLie: what a pipe's header declares is checked against what comes.
func TestPipesThatLie(t *testing.T) {
	whole, err := os.ReadFile(data("rows_le_f4.npy"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"cut off":          whole[:len(whole)-3],
		"longer":           append(append([]byte{}, whole...), 0),
		"empty":            {},
		"an endless array": encodeNpyHeader("<f4", 1<<50, 4),
	} {
		pipe := fifo(t, "pipe.npy")
		feed(t, pipe, content)
		if m, err := ReadAll(pipe); err == nil || !strings.Contains(err.Error(), pipe) {
			t.Errorf("%s: %d rows, %v", name, m.Rows(), err)
		}
	}
	pipe := fifo(t, "pipe.npy")
	feed(t, pipe, encodeNpyHeader("<i8", 1<<50))
	if labels, err := ReadLabels(pipe); err == nil {
		t.Errorf("%d labels", len(labels))
	}
}

// TestLargePipe: what doesn't fit into memory is refused, and devices end.
func TestLargePipe(t *testing.T) {
	defer func(n int64) { maxPiped = n }(maxPiped)
	maxPiped = 1000
	pipe := fifo(t, "pipe.fvecs")
	feed(t, pipe, make([]byte, 1001))
	if _, err := ReadAll(pipe); !errors.Is(err, ErrUnsupported) ||
		!strings.Contains(err.Error(), "write it to a file first") {
		t.Error(err)
	}
	for _, path := range []string{"/dev/zero", "/dev/null", "npz:/dev/zero", "fvecs:/dev/zero",
		"fbin:/dev/zero", "npy:/dev/zero", "."} {
		if _, err := ReadAll(path); err == nil {
			t.Errorf("vectors of %s", path)
		}
		if _, err := Open(path); err == nil {
			t.Errorf("%s is opened", path)
		}
		if _, _, err := Map(path); err == nil {
			t.Errorf("%s is mapped", path)
		}
	}
	for _, path := range []string{"/dev/zero", "roaring:/dev/zero", "."} {
		if _, _, err := ReadFilter(path); err == nil {
			t.Errorf("labels of %s", path)
		}
	}
}

// TestPipeIsReadOnce: Open refuses a pipe whose writer never comes; OpenOnce lets it be read once.
func TestPipeIsReadOnce(t *testing.T) {
	pipe := fifo(t, "pipe.npy")
	if _, err := Open(pipe); err == nil || !strings.Contains(err.Error(), "read once") {
		t.Error(err)
	}
	if _, _, err := Map(pipe); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
	content, err := os.ReadFile(data("rows_le_f4.npy"))
	if err != nil {
		t.Fatal(err)
	}
	feed(t, pipe, content)
	f, err := OpenOnce(data("rows_le_f4.npy"), pipe)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !f.Once() || f.Rows() != 2*fixtureRows {
		t.Errorf("%v, %d rows", f.Once(), f.Rows())
	}
	rows := 0
	count := func(_ int, m vector.Matrix) error { rows += m.Rows(); return nil }
	if err := f.Blocks(context.Background(), count); err != nil || rows != 2*fixtureRows {
		t.Errorf("%d rows, %v", rows, err)
	}
	if err := f.Blocks(context.Background(), count); err == nil || !strings.Contains(err.Error(), pipe) {
		t.Errorf("read twice: %v", err)
	}
}

// TestSilentPipe: reading ends with the context, though nothing comes.
func TestSilentPipe(t *testing.T) {
	pipe := fifo(t, "pipe.npy")
	writer := make(chan *os.File)
	go func() {
		w, err := os.OpenFile(pipe, os.O_WRONLY, 0)
		if err == nil {
			_, err = w.Write(encodeNpyHeader("<f4", 10, 2))
		}
		if err != nil {
			t.Error(err)
		}
		writer <- w
	}()
	f, err := OpenOnce(pipe)
	if err != nil {
		t.Fatal(err)
	}
	w := <-writer
	defer w.Close()
	ctx, cancel := context.WithCancel(context.Background())
	go cancel()
	if err := f.Blocks(ctx, func(int, vector.Matrix) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
