package cluster

import (
	"math/rand/v2"
	"testing"

	"github.com/shale-search/shale/vector"
)

// matrix views data.
func matrix(t testing.TB, data []float32, dim int) vector.Matrix {
	t.Helper()
	m, err := vector.Of(data, dim)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// blobs makes rows around centers far from each other; row i belongs to center i%centers.
func blobs(n, dim, centers int, seed uint64) (data []float32, at [][]float32) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	for range centers {
		c := make([]float32, dim)
		for j := range c {
			c[j] = float32(rnd.NormFloat64() * 10)
		}
		at = append(at, c)
	}
	for i := range n {
		for _, v := range at[i%centers] {
			data = append(data, v+float32(rnd.NormFloat64()))
		}
	}
	return data, at
}

func squared(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		d := float64(v) - float64(b[i])
		sum += d * d
	}
	return sum
}
