// Package testrows makes vectors for tests.
package testrows

import (
	"math/rand/v2"
	"testing"

	"github.com/shale-search/shale/vector"
)

// WholeNumbers returns float32 rows of whole numbers from −most to most, the same for the same seed. Sums of products
// of small ones are exact in any order and in half precision, and many distances are equal.
func WholeNumbers(t testing.TB, rows, dim, most int, seed uint64) vector.Matrix {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 3))
	values := make([]float32, rows*dim)
	for i := range values {
		values[i] = float32(r.IntN(2*most+1) - most)
	}
	m, err := vector.Of(values, dim)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
