package rowlabels

import (
	"math/rand/v2"
	"testing"
)

func TestSuperseded(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := range 300 {
		labels := make([]uint64, n)
		for i := range labels {
			switch n % 4 {
			case 0:
				labels[i] = uint64(i)
			case 1:
				labels[i] = rnd.Uint64()
			case 2:
				labels[i] = uint64(rnd.IntN(n))
			default:
				labels[i] = uint64(rnd.IntN(3))
			}
		}
		last := map[uint64]int{}
		for i, l := range labels {
			last[l] = i
		}
		rows, count := Superseded(labels)
		if count != n-len(last) {
			t.Fatalf("%v: %d superseded, want %d", labels, count, n-len(last))
		}
		for i, l := range labels {
			if rows.Has(i) != (last[l] != i) {
				t.Fatalf("%v: row %d superseded is %v", labels, i, rows.Has(i))
			}
		}
	}
}

func TestEqualNeighboursAreFound(t *testing.T) {
	for _, labels := range [][]uint64{{5, 5}, {1, 2, 2, 3}, {7, 7, 7}, {3, 1, 3}} {
		if rows, n := Superseded(labels); n == 0 || rows == nil {
			t.Errorf("%v: none", labels)
		}
	}
}
