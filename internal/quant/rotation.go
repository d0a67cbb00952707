package quant

import (
	"math"
	"math/bits"

	"github.com/shale-search/shale/internal/simd"
)

// rotation is a random orthogonal map. Each round multiplies values by random signs and applies a Walsh–Hadamard
// transform. If the dimension isn't a power of two, let w be the largest power of two below it: rounds alternate
// between the first w and the last w values. If these overlap by less than half, a butterfly of the two halves (a step
// of Kac's walk) mixes them too.
type rotation struct {
	dim, window int
	signs       [][]float32 // of each round: ±1/√window
	mix         bool
}

const rounds = 4

func newRotation(dim int, seed uint64) *rotation {
	r := &rotation{dim: dim, window: 1 << (bits.Len(uint(dim)) - 1)}
	r.mix = r.window < dim && 2*(2*r.window-dim) < r.window
	unit := float32(1 / math.Sqrt(float64(r.window)))
	for range rounds {
		signs := make([]float32, r.window)
		for i := range signs {
			seed += 0x9e3779b97f4a7c15 // splitmix64 (Steele, Lea & Flood, 2014)
			z := (seed ^ seed>>30) * 0xbf58476d1ce4e5b9
			z = (z ^ z>>27) * 0x94d049bb133111eb
			signs[i] = unit
			if z>>63 != 0 {
				signs[i] = -unit
			}
		}
		r.signs = append(r.signs, signs)
	}
	return r
}

// part returns the values that a round transforms.
func (r *rotation) part(v []float32, round int) []float32 {
	if round&1 == 0 {
		return v[:r.window]
	}
	return v[r.dim-r.window:]
}

// apply rotates v in place.
func (r *rotation) apply(v []float32) {
	for round, signs := range r.signs {
		part := r.part(v, round)
		simd.Active.Hadamard(&part[0], &signs[0], r.window)
		if r.mix && round&1 == 1 {
			mixHalves(v)
		}
	}
}

// invert applies the inverse rotation to v in place.
func (r *rotation) invert(v []float32) {
	ones := make([]float32, r.window)
	for i := range ones {
		ones[i] = 1
	}
	for round := rounds - 1; round >= 0; round-- {
		if r.mix && round&1 == 1 {
			mixHalves(v)
		}
		part, signs := r.part(v, round), r.signs[round]
		simd.Active.Hadamard(&part[0], &ones[0], r.window)
		for i := range part {
			part[i] *= signs[i]
		}
	}
}

// mixHalves mixes the two halves of v. It is its own inverse.
func mixHalves(v []float32) {
	half := len(v) / 2
	a, b := v[:half], v[len(v)-half:]
	b = b[:len(a)]
	for i, x := range a {
		y := b[i]
		a[i], b[i] = (x+y)*(math.Sqrt2/2), (x-y)*(math.Sqrt2/2)
	}
}
