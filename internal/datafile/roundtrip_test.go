package datafile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/shale-search/shale/vector"
)

// draw makes a matrix of any bytes, so of any values.
func draw(t *rapid.T, typ vector.Type, maxRows int) (vector.Matrix, []byte) {
	dim := rapid.IntRange(1, 40).Draw(t, "dim")
	rows := rapid.IntRange(0, maxRows).Draw(t, "rows")
	data := make([]byte, rows*dim*typ.Size())
	seed := rapid.Uint64().Draw(t, "seed")
	for i := range data {
		seed = seed*6364136223846793005 + 1442695040888963407
		data[i] = byte(seed >> 56)
	}
	m, err := vector.FromBytes(data, typ, rows, dim, 0)
	if err != nil {
		t.Fatal(err)
	}
	return m, data
}

func write(path string, m vector.Matrix, step int) error {
	w, err := create(path, m.Type(), m.Dim())
	if err != nil {
		return err
	}
	for i := 0; i < m.Rows(); i += step {
		if err := w.Write(m.Slice(i, min(i+step, m.Rows()))); err != nil {
			return errors.Join(err, w.Abort())
		}
	}
	return w.Close()
}

func TestRoundTrip(t *testing.T) {
	for ext, layouts := range layoutsByExtension {
		for typ := range layouts {
			t.Run(fmt.Sprintf("%s/%s", ext[1:], typ), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "a"+ext)
				rapid.Check(t, func(t *rapid.T) {
					m, data := draw(t, typ, 300)
					if err := write(path, m, rapid.IntRange(1, 100).Draw(t, "step")); err != nil {
						t.Fatal(err)
					}
					got, err := ReadAll(path)
					if ext[2:] == "vecs" && m.Rows() == 0 {
						if err == nil {
							t.Fatal("an empty file has no dimension")
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					if got.Rows() != m.Rows() || (m.Rows() > 0 && (got.Dim() != m.Dim() || got.Type() != typ)) {
						t.Fatalf("%d × %d %s came back as %d × %d %s", m.Rows(), m.Dim(), typ, got.Rows(), got.Dim(), got.Type())
					}
					for i := range m.Rows() {
						if size := m.Dim() * typ.Size(); !slices.Equal(got.RowBytes(i), data[i*size:][:size]) {
							t.Fatalf("row %d changed", i)
						}
					}
				})
			})
		}
	}
}

func TestNeighborsRoundTrip(t *testing.T) {
	for _, ext := range []string{".ivecs", ".ibin", ".npy"} {
		path := filepath.Join(t.TempDir(), "a"+ext)
		most := int64(math.MaxInt32)
		if ext == ".npy" {
			most = math.MaxInt64
		}
		rapid.Check(t, func(t *rapid.T) {
			k := rapid.IntRange(1, 20).Draw(t, "k")
			rows := rapid.IntRange(1, 50).Draw(t, "rows")
			row := rapid.SliceOfN(rapid.Int64Range(-1, most), k, k)
			n := rapid.SliceOfN(row, rows, rows).Draw(t, "ids")
			if err := WriteNeighbors(path, n); err != nil {
				t.Fatal(err)
			}
			got, err := ReadNeighbors(path)
			if err != nil || !slices.EqualFunc(got, n, slices.Equal) {
				t.Fatal(got, err)
			}
		})
	}
	for _, bad := range []struct {
		name string
		n    [][]int64
	}{
		{"a.ivecs", [][]int64{{1 << 40}}},
		{"a.ivecs", [][]int64{{1, 2}, {3}}},
		{"a.ivecs", nil},
		{"a.txt", [][]int64{{1}}},
	} {
		dir := t.TempDir()
		if err := WriteNeighbors(filepath.Join(dir, bad.name), bad.n); err == nil {
			t.Errorf("%s took %v", bad.name, bad.n)
		}
		empty(t, dir)
	}
}

func empty(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Fatalf("left behind: %v, %v", left, err)
	}
}

// whole returns a fill that puts all results at once.
func whole(labels []uint64, distances []float32) func(put func([]uint64, []float32) error) error {
	return func(put func([]uint64, []float32) error) error { return put(labels, distances) }
}

func TestResults(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "r.npz")
	const rows, k = 3000, 7
	labels, distances := make([]uint64, rows*k), make([]float32, rows*k)
	for i := range labels {
		labels[i], distances[i] = uint64(i)*3, float32(i)/2
	}
	if err := WriteResults(path, rows, k, whole(labels, distances)); err != nil {
		t.Fatal(err)
	}
	n, err := ReadNeighbors(path + ":labels")
	if err != nil || len(n) != rows || len(n[0]) != k || n[rows-1][k-1] != int64(labels[rows*k-1]) {
		t.Fatal(len(n), err)
	}
	d, err := ReadAll(path) // the only array that vectors may be read from
	if err != nil || d.Rows() != rows || vector.Row[float32](d, rows-1)[k-1] != distances[rows*k-1] {
		t.Fatal(d.Rows(), err)
	}
	if err := WriteResults(path, rows, k+1, whole(labels, distances)); err == nil {
		t.Fatal("wrong lengths were taken")
	}
	if err := WriteResults(filepath.Join(dir, "r.npy"), 0, 0, whole(nil, nil)); !errors.Is(err, ErrUnknownFormat) {
		t.Fatal(err)
	}
}

func TestAbort(t *testing.T) {
	m, err := vector.Of([]float32{1, 2, 3, 4}, 2)
	if err != nil {
		t.Fatal(err)
	}
	other, err := vector.Of([]float32{1, 2, 3}, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.npy", "a.fvecs", "a.fbin", "a.parquet"} {
		dir := t.TempDir()
		w, err := create(filepath.Join(dir, name), vector.Float32, 2)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Write(m), w.Abort(), w.Abort()); err != nil {
			t.Fatal(err)
		}
		if w.Write(m) == nil || w.Close() == nil {
			t.Fatal("an aborted writer writes")
		}
		empty(t, dir)

		if w, err = create(filepath.Join(dir, name), vector.Float32, 2); err != nil {
			t.Fatal(err)
		}
		if err := w.Write(other); !errors.Is(err, vector.ErrDim) {
			t.Fatal(err)
		}
		if err := w.Close(); !errors.Is(err, vector.ErrDim) {
			t.Fatal(err)
		}
		empty(t, dir)
	}
}

func TestCreateRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		typ  vector.Type
		dim  int
		want error
	}{
		{"a.fvecs", vector.Int8, 2, ErrUnsupported},
		{"a.npz", vector.Float32, 2, ErrUnknownFormat},
		{"a", vector.Float32, 2, ErrUnknownFormat},
		{"a.npy", vector.Float32, 0, vector.ErrDim},
		{"none/a.npy", vector.Float32, 2, os.ErrNotExist},
		{"none/a.parquet", vector.Float32, 2, os.ErrNotExist},
	} {
		if _, err := create(filepath.Join(dir, c.name), c.typ, c.dim); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	empty(t, dir)
}

// TestRuns pits the run decoder against an encoder of packed groups and plain runs.
func TestRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(0, 32).Draw(t, "width")
		top := uint32(1<<width - 1)
		var b []byte
		var want []uint32
		for range rapid.IntRange(1, 10).Draw(t, "runs") {
			if rapid.Bool().Draw(t, "plain") {
				v, n := rapid.Uint32Range(0, top).Draw(t, "v"), rapid.IntRange(0, 50).Draw(t, "n")
				b = binary.AppendUvarint(b, uint64(n)<<1)
				b = append(b, binary.LittleEndian.AppendUint32(nil, v)[:(width+7)/8]...)
				want = append(want, slices.Repeat([]uint32{v}, n)...)
				continue
			}
			groups := rapid.IntRange(0, 4).Draw(t, "groups")
			vs := rapid.SliceOfN(rapid.Uint32Range(0, top), 8*groups, 8*groups).Draw(t, "vs")
			b = binary.AppendUvarint(b, uint64(groups)<<1|1)
			b = append(b, pack(vs, width)...)
			want = append(want, vs...)
		}
		n := rapid.IntRange(0, len(want)).Draw(t, "wanted")
		var got []uint32
		err := eachRun(b, width, n, func(v uint32, times int) error {
			got = append(got, slices.Repeat([]uint32{v}, times)...)
			return nil
		})
		if err != nil || !slices.Equal(got, want[:n]) {
			t.Fatalf("%v, want %v: %v", got, want[:n], err)
		}
		if eachRun(b, width, len(want)+1, func(uint32, int) error { return nil }) == nil {
			t.Fatal("more values came than were encoded")
		}
	})
}

func pack(vs []uint32, width int) []byte {
	b := make([]byte, len(vs)*width/8)
	for i, v := range vs {
		for j := range width {
			at := i*width + j
			b[at/8] |= byte(v>>j&1) << (at % 8)
		}
	}
	return b
}

// TestResultBlocks: results that come block by block make the same file, and part of them makes none.
func TestResultBlocks(t *testing.T) {
	dir := t.TempDir()
	path, want := filepath.Join(dir, "r.npz"), filepath.Join(dir, "want.npz")
	const rows, k = 30_000, 5 // distances of more than a spool holds in memory
	labels, distances := make([]uint64, rows*k), make([]float32, rows*k)
	for i := range labels {
		labels[i], distances[i] = uint64(i)*3, float32(i)/2
	}
	if err := WriteResults(want, rows, k, whole(labels, distances)); err != nil {
		t.Fatal(err)
	}
	block := 1
	err := WriteResults(path, rows, k, func(put func([]uint64, []float32) error) error {
		for at := 0; at < rows; block = 2*block + 1 {
			end := min(at+block, rows)
			if err := put(labels[at*k:end*k], distances[at*k:end*k]); err != nil {
				return err
			}
			at = end
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	a, errA := os.ReadFile(path)
	b, errB := os.ReadFile(want)
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Error("the files differ", errA, errB)
	}
	if d, err := ReadAll(path + ":distances"); err != nil || vector.Row[float32](d, rows-1)[k-1] != distances[rows*k-1] {
		t.Error(err)
	}

	failed := errors.New("failed")
	for name, fill := range map[string]func(put func([]uint64, []float32) error) error{
		"too few":    func(put func([]uint64, []float32) error) error { return put(labels[:k], distances[:k]) },
		"half a row": func(put func([]uint64, []float32) error) error { return put(labels[:k-1], distances[:k-1]) },
		"too many": func(put func([]uint64, []float32) error) error {
			return errors.Join(put(labels, distances), put(labels[:k], distances[:k]))
		},
		"an error": func(func([]uint64, []float32) error) error { return failed },
	} {
		left := filepath.Join(t.TempDir(), "r.npz")
		if err := WriteResults(left, rows, k, fill); err == nil || name == "an error" && !errors.Is(err, failed) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: a file is left: %v", name, err)
		}
	}
}
