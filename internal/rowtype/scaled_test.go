package rowtype

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/internal/sq8"
	"github.com/shale-search/shale/vector"
)

// scaledRows makes room for rows of ScaledInt8.
func scaledRows(t testing.TB, rows, dim int) vector.Matrix {
	t.Helper()
	words := make([]uint32, rows*Size(ScaledInt8, dim)/4)
	b := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), 4*len(words))
	m, err := vector.FromBytes(b, ScaledInt8, rows, dim, 0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestScaledRowSize(t *testing.T) {
	for dim, want := range map[int]int{1: 8, 3: 8, 4: 8, 5: 12, 100: 104, 384: 388, 385: 392} {
		if m := scaledRows(t, 2, dim); Size(ScaledInt8, dim) != want || m.Stride() != want || len(m.RowBytes(1)) != want {
			t.Errorf("%d values: %d bytes every %d, want %d", dim, len(m.RowBytes(1)), m.Stride(), want)
		}
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(&make([]uint64, 8)[0])), 64)
	for name, c := range map[string]struct{ at, rows, dim, stride int }{
		"address": {2, 1, 8, 0}, "stride not of floats": {0, 2, 8, 14},
		"no room for the scale": {0, 2, 8, 8}, "too short": {0, 6, 8, 12},
	} {
		if _, err := vector.FromBytes(b[c.at:], ScaledInt8, c.rows, c.dim, c.stride); err == nil {
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
			Encode(m, 0, src)
			m.Decode(0, got)
			if !floats.Finite(got) || !sq8.Sound(m.RowBytes(0), dim) {
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
	Encode(m, 1, []float32{1, -2, 3, 0, 5})
	Encode(m, 1, make([]float32, 5))
	if !bytes.Equal(m.RowBytes(1), make([]byte, 12)) {
		t.Errorf("zeros are stored as %v", m.RowBytes(1))
	}
	negative := float32(math.Copysign(0, -1))
	Encode(m, 0, []float32{negative, 0, negative, 0, 0})
	if !sq8.Sound(m.RowBytes(0), 5) || !bytes.Equal(m.RowBytes(0), make([]byte, 12)) {
		t.Errorf("negative zeros are stored as %v", m.RowBytes(0))
	}
}

func TestScaledMove(t *testing.T) {
	m := scaledRows(t, 3, 6)
	Encode(m, 2, []float32{1, 2, 3, 4, 5, 6.5})
	Move(m, 0, 2)
	if !bytes.Equal(m.RowBytes(0), m.RowBytes(2)) || !bytes.Equal(m.RowBytes(1), make([]byte, 12)) {
		t.Errorf("rows are %v, %v, %v", m.RowBytes(0), m.RowBytes(1), m.RowBytes(2))
	}
}
