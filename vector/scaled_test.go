package vector

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// scaledRows makes room for rows of ScaledInt8.
func scaledRows(t testing.TB, rows, dim int) Matrix {
	t.Helper()
	words := make([]uint32, rows*ScaledInt8.RowSize(dim)/4)
	b := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), 4*len(words))
	m, err := FromBytes(b, ScaledInt8, rows, dim, 0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestScaledRowSize(t *testing.T) {
	for dim, want := range map[int]int{1: 8, 3: 8, 4: 8, 5: 12, 100: 104, 384: 388, 385: 392} {
		if m := scaledRows(t, 2, dim); ScaledInt8.RowSize(dim) != want || m.Stride() != want || len(m.RowBytes(1)) != want {
			t.Errorf("%d values: %d bytes every %d, want %d", dim, len(m.RowBytes(1)), m.Stride(), want)
		}
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(&make([]uint64, 8)[0])), 64)
	for name, c := range map[string]struct{ at, rows, dim, stride int }{
		"address": {2, 1, 8, 0}, "stride not of floats": {0, 2, 8, 14},
		"no room for the scale": {0, 2, 8, 8}, "too short": {0, 6, 8, 12},
	} {
		if _, err := FromBytes(b[c.at:], ScaledInt8, c.rows, c.dim, c.stride); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestScaledValuesAreNearest: each value comes back within half a step, the largest one as it was but for rounding.
func TestScaledValuesAreNearest(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, size := range []float64{1, 1e-30, 1e-37, 1e-40, 1e-44, 1e30, math.MaxFloat32} {
		for dim := 1; dim < 40; dim++ {
			m, src, got := scaledRows(t, 1, dim), make([]float32, dim), make([]float32, dim)
			top := 0.0
			for i := range src {
				src[i] = float32(size * (2*rnd.Float64() - 1))
				top = max(top, math.Abs(float64(src[i])))
			}
			if dim%3 == 0 {
				src[dim/2] = float32(size)
				top = size
			}
			m.Encode(0, src)
			m.Decode(0, got)
			if !Finite(got) || !SoundScale(m.RowBytes(0), dim) {
				t.Fatalf("size %g: %v became %v", size, src, got)
			}
			for i := range src {
				// below 2⁻¹⁴⁹ there is nothing, so that tiny scales are off by half of that, 127 times
				if off := math.Abs(float64(got[i]) - float64(src[i])); off > top/253.9+127*0x1p-150 {
					t.Fatalf("size %g, %d values: %g became %g", size, dim, src[i], got[i])
				}
			}
		}
	}
}

func TestScaledZeros(t *testing.T) {
	m := scaledRows(t, 2, 5)
	m.Encode(1, []float32{1, -2, 3, 0, 5})
	m.Encode(1, make([]float32, 5))
	if !bytes.Equal(m.RowBytes(1), make([]byte, 12)) {
		t.Errorf("zeros are stored as %v", m.RowBytes(1))
	}
	negative := float32(math.Copysign(0, -1))
	m.Encode(0, []float32{negative, 0, negative, 0, 0})
	if !SoundScale(m.RowBytes(0), 5) || !bytes.Equal(m.RowBytes(0), make([]byte, 12)) {
		t.Errorf("negative zeros are stored as %v", m.RowBytes(0))
	}
}

func TestScaledMove(t *testing.T) {
	m := scaledRows(t, 3, 6)
	m.Encode(2, []float32{1, 2, 3, 4, 5, 6.5})
	m.Move(0, 2)
	if !bytes.Equal(m.RowBytes(0), m.RowBytes(2)) || !bytes.Equal(m.RowBytes(1), make([]byte, 12)) {
		t.Errorf("rows are %v, %v, %v", m.RowBytes(0), m.RowBytes(1), m.RowBytes(2))
	}
}

func TestSoundScale(t *testing.T) {
	row := make([]byte, ScaledInt8.RowSize(6))
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for scale, want := range map[float32]bool{
		0: true, 1: true, 0x1p-149: true, maxScale: true, -1: false, inf: false, -inf: false,
		math.Nextafter32(maxScale, inf): false,
	} {
		binary.LittleEndian.PutUint32(row[8:], math.Float32bits(scale))
		if SoundScale(row, 6) != want {
			t.Errorf("a scale of %g is sound: %v", scale, !want)
		}
	}
	if binary.LittleEndian.PutUint32(row[8:], math.Float32bits(nan)); SoundScale(row, 6) {
		t.Error("NaN is a sound scale")
	}
}

// TestScaledScorer compares distances with those of decoded rows; that of a row to itself is 0 exactly.
func TestScaledScorer(t *testing.T) {
	const rows = 20
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, dim := range []int{1, 3, 16, 100, 385} {
		m, row, query := scaledRows(t, rows, dim), make([]float32, dim), make([]float32, dim)
		for i := range rows {
			for j := range row {
				row[j] = float32(rnd.NormFloat64())
			}
			m.Encode(i, row)
		}
		ids, out := []uint32{19, 0, 7, 7, 3, 12, 1}, make([]float32, 7)
		for _, metric := range []Metric{L2, IP, Cosine} {
			s, err := NewRowScorer(m, metric, nil)
			if err != nil {
				t.Fatal(err)
			}
			s.BindRow(5)
			m.Decode(5, query)
			s.Score(ids, out)
			for i, id := range ids {
				m.Decode(int(id), row)
				if want := reference(metric, query, row); math.Abs(float64(out[i])-want) > 1e-5*(float64(dim)+math.Abs(want)) {
					t.Fatalf("dim %d, %s, row %d: %v, want %v", dim, metric, id, out[i], want)
				}
			}
			s.Score([]uint32{5}, out)
			if metric == L2 && out[0] != 0 {
				t.Errorf("dim %d: a row is at %g of itself", dim, out[0])
			}
		}
	}
}

// TestNoRows: a matrix of no rows has a length but nothing to read.
func TestNoRows(t *testing.T) {
	m, err := FromBytes(nil, NoRows, 9, 4, 0)
	if err != nil || m.Rows() != 9 || m.Stride() != 0 || len(m.RowBytes(8)) != 0 {
		t.Fatalf("%+v, %v", m, err)
	}
	m.Encode(3, make([]float32, 4))
	m.Move(1, 2)
	if m = m.Slice(2, 5); m.Rows() != 3 {
		t.Errorf("%d rows", m.Rows())
	}
	if _, err := NewRowScorer(m, L2, nil); err == nil {
		t.Error("no rows can be scored")
	}
	defer func() {
		if recover() == nil {
			t.Error("no rows were read")
		}
	}()
	m.Decode(0, make([]float32, 4))
}
