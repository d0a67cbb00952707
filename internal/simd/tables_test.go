package simd

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Every level's tables are those of the plain one but for rounding.
func TestTables(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	floats := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		return v
	}
	for subvectors := 1; subvectors <= 33; subvectors += 1 + subvectors/6 {
		for _, width := range []int{1, 2, 3, 8, 17} {
			init, books, v := floats(subvectors*256), floats(subvectors*width*256), floats(subvectors*width)
			want := make([]float32, subvectors*256)
			tablesGeneric(&want[0], &init[0], &books[0], &v[0], subvectors, width)
			for _, set := range tested() {
				got := make([]float32, subvectors*256+1)
				got[subvectors*256] = 77
				set.Tables(&got[0], &init[0], &books[0], &v[0], subvectors, width)
				for i, w := range want {
					if math.Abs(float64(got[i]-w)) > 1e-4 {
						t.Fatalf("%s: %d × %d, element %d is %v, not %v", set.Name, subvectors, width, i, got[i], w)
					}
				}
				if got[subvectors*256] != 77 {
					t.Fatalf("%s writes past the end", set.Name)
				}
			}
		}
	}
}

func BenchmarkTables(b *testing.B) {
	const subvectors, width = 192, 2
	init, books, v := make([]float32, subvectors*256), make([]float32, subvectors*width*256),
		make([]float32, subvectors*width)
	out := make([]float32, subvectors*256)
	for i := range books {
		books[i] = float32(i) // fresh memory is one page of zeros, over and over
	}
	for i := range init {
		init[i] = float32(i)
	}
	for _, set := range tested() {
		b.Run(set.Name, func(b *testing.B) {
			for b.Loop() {
				set.Tables(&out[0], &init[0], &books[0], &v[0], subvectors, width)
			}
		})
	}
}
