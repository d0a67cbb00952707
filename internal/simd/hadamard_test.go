//go:build unix

package simd

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// floats views b.
func floats(b []byte) []float32 { return unsafe.Slice((*float32)(pointer(b)), len(b)/4) }

func TestHadamardIsTheMatrix(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	for n := 1; n <= 512; n *= 2 {
		x, signs := make([]float32, n), make([]float32, n)
		var scale float64
		for i := range x {
			x[i], signs[i] = float32(rng.NormFloat64()), float32(rng.NormFloat64())
			scale += math.Abs(float64(x[i] * signs[i]))
		}
		for _, set := range tested() {
			got := append([]float32(nil), x...)
			set.Hadamard(&got[0], &signs[0], n)
			for row := range n {
				var want float64
				for i := range x {
					term := float64(x[i]) * float64(signs[i])
					if bits.OnesCount(uint(row&i))%2 == 1 {
						term = -term
					}
					want += term
				}
				if math.Abs(float64(got[row])-want) > 0x1p-20*scale {
					t.Fatalf("%s: element %d of %d is %g, not %g", set.Name, row, n, got[row], want)
				}
			}
		}
	}
}

// TestHadamardsAgree to the last bit, at the ends of readable memory.
func TestHadamardsAgree(t *testing.T) {
	const most = 4 * longestHadamard // what takes several calls of the assembly, too
	rng := rand.New(rand.NewPCG(17, 18))
	xs, signs := newGuarded(t, 4*most), newGuarded(t, 4*most)
	for n := 1; n <= most; n *= 2 {
		for place := range xs.places(4 * n) {
			s := floats(signs.places(4 * n)[place])
			input := make([]float32, n)
			for round := range 4 {
				for i := range input {
					input[i], s[i] = float32(rng.NormFloat64()), float32(rng.IntN(2)*2-1)/16
					if round == 3 {
						input[i] *= 0x1p-140 // subnormal
					}
				}
				want := append([]float32(nil), input...)
				hadamardGeneric(&want[0], &s[0], n)
				for _, set := range tested() {
					x := floats(xs.places(4 * n)[place])
					copy(x, input)
					set.Hadamard(&x[0], &s[0], n)
					for i, v := range x {
						if math.Float32bits(v) != math.Float32bits(want[i]) {
							t.Fatalf("%s: element %d of %d is %g, not %g", set.Name, i, n, v, want[i])
						}
					}
				}
			}
		}
	}
}
