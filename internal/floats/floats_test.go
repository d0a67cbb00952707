package floats

import (
	"math"
	"testing"
)

// exactHalf is the value of a finite half, computed from its fields in a wider type.
func exactHalf(h uint16) float64 {
	exp, frac := int(h>>10&0x1f), float64(h&0x3ff)
	v := math.Ldexp(1024+frac, exp-25)
	if exp == 0 {
		v = math.Ldexp(frac, -24)
	}
	if h&0x8000 != 0 {
		v = -v
	}
	return v
}

func TestEveryHalfSurvives(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		f := FromHalf(h)
		switch {
		case h&0x7fff > 0x7c00:
			if f == f {
				t.Fatalf("half %#04x is %v, not NaN", h, f)
			}
			if back := ToHalf(f); back&0x7fff <= 0x7c00 {
				t.Fatalf("NaN %#04x came back as %#04x", h, back)
			}
			continue
		case h&0x7fff == 0x7c00:
			if !math.IsInf(float64(f), 1-int(h>>15)*2) {
				t.Fatalf("half %#04x is %v", h, f)
			}
		case float64(f) != exactHalf(h) || math.Signbit(float64(f)) != (h&0x8000 != 0):
			t.Fatalf("half %#04x is %v, not %v", h, f, exactHalf(h))
		}
		if back := ToHalf(f); back != h {
			t.Fatalf("half %#04x came back as %#04x", h, back)
		}
	}
}

// TestHalvesAreNearest tests the rounding at every boundary between two neighbouring halves: just below it, on it (to
// the even one) and just above.
func TestHalvesAreNearest(t *testing.T) {
	for h := uint16(0); h < 0x7c00; h++ {
		next := exactHalf(h + 1)
		if h == 0x7bff {
			next = 65536 // what the largest half is rounded against
		}
		middle := float32((exactHalf(h) + next) / 2)
		if float64(middle) != (exactHalf(h)+next)/2 {
			t.Fatalf("boundary above %#04x is no float32", h)
		}
		for _, c := range []struct {
			in   float32
			want uint16
		}{{math.Nextafter32(middle, 0), h}, {middle, h + h&1}, {math.Nextafter32(middle, 1e9), h + 1}} {
			if got := ToHalf(c.in); got != c.want {
				t.Fatalf("%v became %#04x, not %#04x", c.in, got, c.want)
			}
			if got := ToHalf(-c.in); got != c.want|0x8000 {
				t.Fatalf("%v became %#04x, not %#04x", -c.in, got, c.want|0x8000)
			}
		}
	}
}

func TestFinite(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		v    []float32
		want bool
	}{
		{nil, true}, {[]float32{0, -1, math.MaxFloat32}, true},
		{[]float32{1, nan}, false}, {[]float32{inf, 1}, false}, {[]float32{1, -inf, 2}, false},
	} {
		if Finite(c.v) != c.want {
			t.Errorf("Finite(%v) is not %v", c.v, c.want)
		}
	}
}
