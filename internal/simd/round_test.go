package simd

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Every level rounds as the plain one does, to the last bit.
func TestRound(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for n := 1; n <= 300; n++ {
		values := make([]float32, n)
		for i := range values {
			values[i] = (rng.Float32() - 0.5) * 254 / 3
			if i%5 == n%5 {
				values[i] = float32(rng.IntN(255)-127)/6 + 1.0/6 // halves among them
			}
		}
		for _, c := range []struct{ inv, step float32 }{{3, 1.0 / 3}, {0, 0}, {1, 1}} {
			left, bytes := slices.Clone(values), make([]int8, n)
			sum := roundGeneric(&bytes[0], &left[0], n, c.inv, c.step)
			check := 0
			for i, b := range bytes {
				check += int(b)
				if off := values[i]*c.inv - float32(b); off > 0.5 || off < -0.5 {
					t.Fatalf("%v times %v is rounded to %d", values[i], c.inv, b)
				}
			}
			if check != sum {
				t.Fatalf("the sum of %v is told to be %d", bytes, sum)
			}
			for _, set := range tested() {
				rest, to := slices.Clone(values), make([]int8, n+1)
				to[n] = 99
				got := set.Round(&to[0], &rest[0], n, c.inv, c.step)
				if got != sum || !slices.Equal(to[:n], bytes) || !slices.Equal(rest, left) || to[n] != 99 {
					t.Fatalf("%s: %d values times %v: %v, %v, sum %d; not %v, %v, %d", set.Name, n, c.inv,
						to, rest, got, bytes, left, sum)
				}
			}
		}
	}
}
