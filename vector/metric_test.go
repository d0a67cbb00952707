package vector

import (
	"math"
	"math/big"
	"testing"
)

func TestNormalize(t *testing.T) {
	for _, v := range [][]float32{{3, 4}, {1e-20, 2e-20}, {1e19, -1e19, 3e18}, {5}} {
		n := append([]float32(nil), v...)
		Normalize(n)
		sum := new(big.Float)
		for _, x := range n {
			sum.Add(sum, new(big.Float).SetFloat64(float64(x)*float64(x)))
		}
		if s, _ := sum.Float64(); math.Abs(s-1) > 1e-6 {
			t.Errorf("%v became %v, of squared length %v", v, n, s)
		}
	}
	zero := []float32{0, 0, 0}
	Normalize(zero)
	if zero[0] != 0 || zero[1] != 0 || zero[2] != 0 {
		t.Errorf("a zero vector became %v", zero)
	}
}

func TestParseMetric(t *testing.T) {
	for _, m := range []Metric{L2, IP, Cosine} {
		if got, err := ParseMetric(m.String()); err != nil || got != m {
			t.Errorf("%v was read as %v, %v", m, got, err)
		}
	}
	if _, err := ParseMetric("l1"); err == nil {
		t.Error("l1 was read")
	}
}
