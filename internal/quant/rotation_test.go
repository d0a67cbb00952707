package quant

import (
	"math"
	"math/rand/v2"
	"testing"
)

var dims = []int{1, 2, 3, 5, 8, 16, 31, 33, 96, 100, 128, 129, 200, 255, 300, 384, 511, 768, 1000, 1536, 4096}

func normal(rnd *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(rnd.NormFloat64())
	}
	return v
}

// TestRotationIsOrthogonal: inner products survive, and the inverse gives the vector back.
func TestRotationIsOrthogonal(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, dim := range dims {
		r := newRotation(dim, 100)
		a, b := normal(rnd, dim), normal(rnd, dim)
		before := dot(a, b)
		scale := norm(a) * norm(b)
		back := append([]float32(nil), a...)
		r.apply(a)
		r.apply(b)
		if diff := math.Abs(dot(a, b) - before); diff > 1e-5*scale {
			t.Errorf("dim %d: the inner product moved by %g", dim, diff/scale)
		}
		r.invert(a)
		for i := range a {
			if math.Abs(float64(a[i]-back[i])) > 1e-4 {
				t.Fatalf("dim %d: value %d came back as %v, not %v", dim, i, a[i], back[i])
			}
		}
	}
}

// TestRotationSpreads: whatever a vector looks like, no value of the rotated one stands out by more than that of a
// random direction would.
func TestRotationSpreads(t *testing.T) {
	for _, dim := range dims {
		if dim < 64 {
			continue
		}
		for name, v := range map[string]func(i int) float32{
			"one value at the start": func(i int) float32 { return indicator(i == 0) },
			"one in the middle":      func(i int) float32 { return indicator(i == dim/2) },
			"one at the end":         func(i int) float32 { return indicator(i == dim-1) },
			"constant":               func(int) float32 { return 1 },
			"alternating":            func(i int) float32 { return float32(1 - 2*(i&1)) },
			"ramp":                   func(i int) float32 { return float32(i) },
		} {
			worst := 0.0
			for seed := range uint64(20) {
				x := make([]float32, dim)
				for i := range x {
					x[i] = v(i)
				}
				newRotation(dim, seed).apply(x)
				worst = max(worst, float64(largest(x))/norm(x)*math.Sqrt(float64(dim)))
			}
			if limit := 1.5 * math.Sqrt(2*math.Log(20*float64(dim))); worst > limit {
				t.Errorf("dim %d, %s: the largest value is %.1f deviations, more than %.1f", dim, name, worst, limit)
			}
		}
	}
}

func indicator(b bool) float32 {
	if b {
		return 1
	}
	return 0
}
