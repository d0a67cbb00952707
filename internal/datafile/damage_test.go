package datafile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"

	"github.com/shale-search/shale/vector"
)

// maxAllocated bounds what reading a small hostile file may allocate in all: a page of freePage, grown to.
const maxAllocated = 5 * freePage

// readers are all the ways to read a file.
var readers = map[string]func(path string) error{
	"vectors": func(path string) error {
		r, err := openReader(path)
		if err != nil {
			return err
		}
		defer r.Close()
		return drain(r)
	},
	"all":       func(path string) error { _, err := ReadAll(path); return err },
	"labels":    func(path string) error { _, err := ReadLabels(path); return err },
	"neighbors": func(path string) error { _, err := ReadNeighbors(path); return err },
	"filter":    func(path string) error { _, _, err := ReadFilter(path); return err },
	"table": func(path string) error {
		t, err := OpenTable(path)
		if err != nil {
			return err
		}
		defer t.Close()
		return drainTable(t)
	},
}

// readFloats reads rows as float32.
func readFloats(r reader, dst []float32) (int, error) {
	buf := make([]byte, len(dst)*r.Type().Size())
	n, err := r.Read(buf)
	if err != nil {
		return 0, err
	}
	rows, err := vector.FromBytes(buf, r.Type(), n, r.Dim(), 0)
	if err != nil {
		return 0, err
	}
	for i := range n {
		rows.Decode(i, dst[i*r.Dim():(i+1)*r.Dim()])
	}
	return n, nil
}

// drain reads all rows through a small buffer and counts them.
func drain(r reader) error {
	buf := make([]float32, max(r.Dim(), 1000))
	for rows := 0; ; {
		n, err := readFloats(r, buf)
		if err == io.EOF {
			if rows != r.Rows() {
				return fmt.Errorf("%d rows came of %d", rows, r.Rows())
			}
			return nil
		}
		if err != nil {
			return err
		}
		rows += n
	}
}

// hostile reads a file that may be anything: an error must be typed and tell the file, and memory stay bounded.
func hostile(t *testing.T, path string, read func(string) error) error {
	t.Helper()
	before := allocated()
	err := read(path)
	if n := allocated() - before; n > maxAllocated {
		t.Fatalf("%d bytes were allocated", n)
	}
	var bad *FormatError
	switch {
	case err == nil || errors.Is(err, ErrUnknownFormat):
	case !errors.As(err, &bad):
		t.Fatalf("an error of type %T: %v", err, err)
	case !strings.HasPrefix(bad.File, path) || bad.Field == "" || bad.Reason == "" || bad.Offset < -1:
		t.Fatalf("an error that doesn't say where: %#v", bad)
	}
	return err
}

// allocated is how many bytes the heap gave out so far. Unlike ReadMemStats it doesn't stop the world, which would make
// fuzzing slow.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

func fixtures(t testing.TB, patterns ...string) []string {
	t.Helper()
	var names []string
	for _, p := range patterns {
		found, err := filepath.Glob(data(p))
		if err != nil || len(found) == 0 {
			t.Fatal(p, err)
		}
		names = append(names, found...)
	}
	return names
}

func TestTruncated(t *testing.T) {
	for _, name := range fixtures(t, "rows*", "neighbors*", "labels*.npy", "*.roaring") {
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), filepath.Base(name))
		step := max(1, len(whole)/100)
		for n := 0; n < len(whole); n += step {
			if err := os.WriteFile(path, whole[:n], 0o644); err != nil {
				t.Fatal(err)
			}
			for kind, read := range readers {
				// Whole rows of vecs are a file of fewer rows, and labels without their distances are a file too.
				sound := strings.HasSuffix(name, "vecs") || strings.HasSuffix(name, "distances.ibin") && n == 32
				if hostile(t, path, read) == nil && !sound {
					t.Fatalf("%s cut to %d of %d bytes was read as %s", name, n, len(whole), kind)
				}
			}
		}
	}
}

func TestFlippedBits(t *testing.T) {
	for _, name := range fixtures(t, "rows*", "neighbors*", "labels*", "*.roaring") {
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), filepath.Base(name))
		for i := 0; i < len(whole); i += max(1, len(whole)/300) {
			b := slices.Clone(whole)
			b[i] ^= 1 << (i % 8)
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
			for _, read := range readers {
				_ = hostile(t, path, read)
			}
		}
	}
}

// TestHugeClaims gives headers that claim far more than the file holds.
func TestHugeClaims(t *testing.T) {
	u32 := func(vs ...uint32) (b []byte) {
		for _, v := range vs {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		return b
	}
	npy := func(dict string) []byte {
		b := append([]byte(npyMagic), 1, 0)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(dict)))
		return append(b, dict...)
	}
	shape := func(s string) []byte {
		return npy("{'descr': '<f4', 'fortran_order': False, 'shape': " + s + ", }")
	}
	for _, c := range []struct {
		name string
		b    []byte
	}{
		{"a.npy", shape("(9223372036854775807, 9223372036854775807)")},
		{"a.npy", shape("(4294967296, 4294967296)")},
		{"a.npy", shape("(1000000000000, 1)")},
		{"a.npy", shape("(99999999999999999999, 1)")},
		{"a.npy", shape("(-1, 1)")},
		{"a.npy", shape("(0, 0)")},
		{"a.npy", shape("(0, 99999999)")},
		{"a.npy", shape("()")},
		{"a.npy", npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }")},
		{"a.npy", npy("{'descr': '<f4', 'descr': '<f4', 'shape': (1,), }")},
		{"a.npy", npy("{'descr': '<f4'")},
		{"a.npy", npy("{'descr': '<c8', 'fortran_order': False, 'shape': (1, 1), }")},
		{"a.npy", append([]byte(npyMagic), 2, 0, 0xff, 0xff, 0xff, 0xff)},
		{"a.npy", append([]byte(npyMagic), 9, 0, 0, 0)},
		{"a.fvecs", u32(0xffffffff, 0)},
		{"a.fvecs", u32(0)},
		{"a.fvecs", u32(0x7fffffff, 0)},
		{"a.fvecs", u32(1, 0, 2, 0)},
		{"a.ivecs", u32(1, 0, 2, 0)},
		{"a.fbin", u32(0xffffffff, 0xffffffff)},
		{"a.fbin", u32(0xffffffff, 1)},
		{"a.fbin", u32(1, 0)},
		{"a.fbin", u32(1, 1, 1, 1)},
		{"a.ibin", u32(0xffffffff, 1)},
		{"a.roaring", u32(0xffffffff, 0x0fffffff)},
		{"a.roaring", u32(12346, 0xffffffff)},
		{"a.roaring", nil},
		{"a.parquet", []byte("PAR1\xff\xff\xff\xffPAR1")},
		{"a.npz", []byte("PK\x03\x04")},
	} {
		path := filepath.Join(t.TempDir(), c.name)
		if err := os.WriteFile(path, c.b, 0o644); err != nil {
			t.Fatal(err)
		}
		for kind, read := range readers {
			if hostile(t, path, read) == nil {
				t.Errorf("%s: %.60q was read as %s", c.name, c.b, kind)
			}
		}
	}
}

// TestMemory reads files much larger than what may be allocated on the way.
func TestMemory(t *testing.T) {
	const rows, dim, limit = 20000, 384, 12 << 20
	m, err := vector.FromBytes(make([]byte, 1000*dim*4), vector.Float32, 1000, dim, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.npy", "a.fvecs", "a.fbin", "a.parquet"} {
		path := filepath.Join(t.TempDir(), name)
		w, err := create(path, vector.Float32, dim)
		if err != nil {
			t.Fatal(err)
		}
		for range rows / m.Rows() {
			if err := w.Write(m); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if peak := peakHeap(t, path); peak > limit {
			t.Errorf("%s: reading %d MiB took %d MiB", name, rows*dim*4>>20, peak>>20)
		}
	}
}

// peakHeap reads a file through a small buffer and returns how much the heap grew at most.
func peakHeap(t *testing.T, path string) uint64 {
	t.Helper()
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the writer left in pools goes in two steps
	runtime.ReadMemStats(&m)
	base, peak := m.HeapAlloc, uint64(0)
	r, err := openReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for buf := make([]byte, blockSize); ; {
		if _, err := r.Read(buf); err == io.EOF {
			return peak
		} else if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&m)
		peak = max(peak, max(m.HeapAlloc, base)-base)
	}
}
