package datafile

import (
	"errors"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shale-search/shale/vector"
)

// fixtureRows and fixtureDim are the shape of the vectors that testdata/make.py writes.
const fixtureRows, fixtureDim = 7, 5

func fixture(i, j int) float32 { return float32((i*fixtureDim+j)%100 - 10) }

func data(name string) string { return filepath.Join("testdata", name) }

func TestFixtures(t *testing.T) {
	for name, typ := range map[string]vector.Type{
		"rows_le_f2.npy": vector.Float16, "rows_le_f4.npy": vector.Float32, "rows_le_f8.npy": vector.Float32,
		"rows_be_f2.npy": vector.Float16, "rows_be_f4.npy": vector.Float32, "rows_be_f8.npy": vector.Float32,
		"rows_i1.npy": vector.Int8, "rows_u1.npy": vector.Uint8, "rows_fortran.npy": vector.Float32,
		"rows_v2.npy": vector.Float32, "rows_v3.npy": vector.Float32,
		"rows.npz:rows": vector.Float32, "rows_deflated.npz": vector.Float32,
		"rows.fvecs": vector.Float32, "rows.bvecs": vector.Uint8,
		"rows.fbin": vector.Float32, "rows.i8bin": vector.Int8, "rows.u8bin": vector.Uint8,
		"rows_float.parquet": vector.Float32, "rows_float.parquet:rows": vector.Float32,
		"rows_float.parquet:rows.list.element": vector.Float32,
		"rows_double.parquet":                  vector.Float32, "rows_half.parquet": vector.Float16,
		"rows_fixed.parquet": vector.Float32, "rows_gzip.parquet": vector.Float32, "rows_v2.parquet": vector.Float32,
		"rows_groups.parquet": vector.Float32, "rows_pages.parquet": vector.Float32, "rows_split.parquet": vector.Float32,
		"rows_two.parquet:rows": vector.Float32,
	} {
		t.Run(name, func(t *testing.T) {
			m, err := ReadAll(data(name))
			if err != nil {
				t.Fatal(err)
			}
			if m.Type() != typ || m.Rows() != fixtureRows || m.Dim() != fixtureDim {
				t.Fatalf("%d × %d %s", m.Rows(), m.Dim(), m.Type())
			}
			shift := float32(0)
			if typ == vector.Uint8 {
				shift = 10
			}
			row := make([]float32, fixtureDim)
			for i := range m.Rows() {
				m.Decode(i, row)
				for j, v := range row {
					if v != fixture(i, j)+shift {
						t.Fatalf("row %d: %v", i, row)
					}
				}
			}
			checkSteps(t, data(name), shift)
		})
	}
}

// checkSteps reads by ReadFloat32 with buffers of several sizes.
func checkSteps(t *testing.T, path string, shift float32) {
	t.Helper()
	for _, room := range []int{fixtureDim, 2*fixtureDim + 3, 100} {
		r, err := openReader(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readFloats(r, make([]float32, fixtureDim-1)); !errors.Is(err, io.ErrShortBuffer) {
			t.Fatalf("a short buffer: %v", err)
		}
		buf, at := make([]float32, room), 0
		for {
			n, err := readFloats(r, buf)
			if err == io.EOF {
				break
			}
			if err != nil || n == 0 {
				t.Fatal(n, err)
			}
			for k, v := range buf[:n*fixtureDim] {
				if v != fixture(at+k/fixtureDim, k%fixtureDim)+shift {
					t.Fatalf("row %d in steps of %d: %v", at+k/fixtureDim, room, buf)
				}
			}
			at += n
		}
		if at != r.Rows() {
			t.Fatalf("%d rows of %d", at, r.Rows())
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFewRows(t *testing.T) {
	for name, want := range map[string]int{"rows_none.npy": 0, "rows_none.parquet": 0, "rows_one.parquet": 1} {
		m, err := ReadAll(data(name))
		if err != nil || m.Rows() != want {
			t.Errorf("%s: %d rows, %v", name, m.Rows(), err)
		}
	}
}

func TestLabelFixtures(t *testing.T) {
	want := []uint64{3, 1, 4, 1, 5, 9, 2, 6}
	set := []uint64{1, 2, 3, 4, 5, 6, 9}
	for _, name := range []string{
		"labels.txt", "labels_i1.npy", "labels_u1.npy", "labels_le_i2.npy", "labels_le_u2.npy", "labels_le_i4.npy",
		"labels_le_u4.npy", "labels_le_i8.npy", "labels_le_u8.npy", "labels_be_i4.npy", "labels_be_u8.npy",
	} {
		labels, err := ReadLabels(data(name))
		if err != nil || !slices.Equal(labels, want) {
			t.Errorf("%s: %v, %v", name, labels, err)
		}
		filter, _, err := ReadFilter(data(name))
		if err != nil || !slices.Equal(filter.ToArray(), set) {
			t.Errorf("%s as a filter: %v, %v", name, filter, err)
		}
	}
	if ids, err := ReadLabels(data("rows.npz")); err != nil || !slices.Equal(ids, []uint64{0, 1, 2, 3, 4, 5, 6}) {
		t.Error(ids, err)
	}
	for _, name := range []string{"labels_mask.npy", "labels_32.roaring", "labels_64.roaring"} {
		filter, _, err := ReadFilter(data(name))
		if err != nil || !slices.Equal(filter.ToArray(), set) {
			t.Errorf("%s: %v, %v", name, filter, err)
		}
	}
	large, _, err := ReadFilter(data("large.roaring"))
	if err != nil || large.GetCardinality() != 70002 || !large.Contains(1<<40) || !large.Contains(1<<32+7) {
		t.Error(large.GetCardinality(), err)
	}
}

func TestNeighborFixtures(t *testing.T) {
	for _, name := range []string{"neighbors_i4.npy", "neighbors_i8.npy", "neighbors.ivecs", "neighbors.ibin",
		"neighbors_distances.ibin"} {
		n, err := ReadNeighbors(data(name))
		if err != nil || len(n) != 2 || !slices.Equal(n[0], []int64{1, 2, 3}) || !slices.Equal(n[1], []int64{4, 5, -1}) {
			t.Errorf("%s: %v, %v", name, n, err)
		}
	}
}

// TestRefusals names what is wrong with files that are whole, but not what is asked for.
func TestRefusals(t *testing.T) {
	labels := func(path string) error { _, err := ReadLabels(path); return err }
	neighbors := func(path string) error { _, err := ReadNeighbors(path); return err }
	filter := func(path string) error { _, _, err := ReadFilter(path); return err }
	vectors := func(path string) error { _, err := ReadAll(path); return err }
	for _, c := range []struct {
		name, want string
		read       func(string) error
	}{
		{"bad_ragged.parquet", "all must have the same", vectors},
		{"bad_null.parquet", "null", vectors},
		{"bad_hole.parquet", "null", vectors},
		{"bad_empty.parquet", "empty", vectors},
		{"bad_lz4.parquet", "snappy", vectors},
		{"bad_column.parquet", "none holds lists", vectors},
		{"rows_two.parquet", "name one as", vectors},
		{"rows_two.parquet:more", `no "more"`, vectors},
		{"rows_two.parquet:id", "no lists", vectors},
		{"rows.npz:more", "ids, rows, other", vectors},
		{"rows.npz:ids", "2", vectors},
		{"rows.npz", "several arrays would do: name one as testdata/rows.npz:NAME, of rows, other", vectors},
		{"train.hdf5", "convert_hdf5.py", vectors},
		{"train.hdf5", `numpy.save("testdata/train.train.npy", h5py.File("testdata/train.hdf5")["train"])`, vectors},
		{"train.hdf5:a/b", `numpy.save("testdata/train.a.b.npy", h5py.File("testdata/train.hdf5")["a/b"])`, vectors},
		{"train.hdf5", `h5py.File("testdata/train.hdf5")["neighbors"]`, neighbors},
		{"train.hdf5:ids", `["ids"]`, labels},
		{"labels_le_i8.npy", "2", vectors},
		{"neighbors_i4.npy", "convert", vectors},
		{"neighbors.ivecs", "neighbours", vectors},
		{"labels.txt", "unknown file format", vectors},
		{"labels_negative.npy", "not negative", labels},
		{"rows_le_f4.npy", "astype", labels},
		{"labels_mask.npy", "astype", labels},
		{"neighbors_i4.npy", "flatten", labels},
		{"make.py", "line 1", labels},
		{"rows.fvecs", "want .npy", labels},
		{"rows_le_f4.npy", "astype", neighbors},
		{"labels_le_i4.npy", "axes", neighbors},
		{"labels.txt", "want .ivecs", neighbors},
		{"rows.fvecs", "want .npy", filter},
		{"rows_le_f4.npy", "flatten", filter},
		{"none.npy", "no such file", vectors},
	} {
		err := c.read(data(c.name))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want it to say %q", c.name, err, c.want)
		}
		if err != nil && !strings.Contains(err.Error(), strings.Split(c.name, ":")[0]) {
			t.Errorf("%s: the error doesn't name the file: %v", c.name, err)
		}
	}
	if err := vectors("testdata"); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Error(err)
	}
}

func TestDoublesPastFloat32(t *testing.T) {
	d := dtype{kind: 'f', size: 8}
	var raw [8]byte
	d.order().PutUint64(raw[:], math.Float64bits(1e300))
	var out [1]float32
	d.floats(out[:], raw[:])
	if !math.IsInf(float64(out[0]), 1) {
		t.Fatal(out)
	}
}
