package collection

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/exact"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// TestFlat compares searches of rows in memory with an exact search, by every metric, in several blocks, with rows that
// may not be found.
func TestFlat(t *testing.T) {
	const dim, rows, queries, k = 600, 1500, 20, 10
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, metric := range []vector.Metric{vector.L2, vector.IP, vector.Cosine} {
		f := newFlat(Vector{Dim: dim, Metric: metric})
		defer func() {
			if err := f.close(); err != nil {
				t.Error(err)
			}
		}()
		values := make([]float32, (rows+queries)*dim)
		for i := range values {
			values[i] = float32(rnd.IntN(19) - 9) // distances are exact, but for the cosine's
		}
		for i := range rows + queries {
			if metric == vector.Cosine {
				vector.Normalize(values[i*dim : (i+1)*dim])
			}
		}
		for i := range rows {
			if err := f.append(uint64(2*i), values[i*dim:(i+1)*dim]); err != nil {
				t.Fatal(err)
			}
		}
		if blocks := len(*f.blocks.Load()); blocks < 2 {
			t.Fatalf("%d rows lie in %d blocks", rows, blocks)
		}
		allowed := func(number uint64) bool { return number%3 != 0 }
		const next = 2*rows - 101
		asked, err := vector.Of(values[rows*dim:], dim)
		if err != nil {
			t.Fatal(err)
		}
		all, err := vector.Of(values[:rows*dim], dim)
		if err != nil {
			t.Fatal(err)
		}
		truth, err := exact.New(asked, metric, k, 1)
		if err != nil {
			t.Fatal(err)
		}
		err = truth.Add(t.Context(), all, func(i int) (uint64, bool) {
			return uint64(2 * i), 2*i < next && allowed(uint64(2*i))
		})
		if err != nil {
			t.Fatal(err)
		}
		labels, distances := truth.Nearest()
		for q := range queries {
			var want []search.Neighbor
			for i, label := range labels[q] {
				want = append(want, search.Neighbor{Label: label, Distance: distances[q][i]})
			}
			for _, exactly := range []bool{true, false} {
				got, err := f.search(nil, vector.Row[float32](asked, q), k, exactly, next, allowed)
				if err != nil || !slices.EqualFunc(got, want, func(a, b search.Neighbor) bool {
					if metric == vector.Cosine {
						return math.Abs(float64(a.Distance-b.Distance)) < 1e-6
					}
					return a == b
				}) {
					t.Fatalf("%v, exact %v: found %v, %v\nwant %v", metric, exactly, got, err, want)
				}
			}
		}
	}
}

// TestDistanceKey encodes distances and decodes them, in their order.
func TestDistanceKey(t *testing.T) {
	distances := []float32{-3e38, -2, -1e-40, 0, 1e-40, 1, 1.5, 3e38}
	var keys []uint64
	for i, d := range distances {
		keys = append(keys, distanceKey(d, i), distanceKey(d, i+100))
		if got := keyDistance(keys[2*i]); got != d {
			t.Errorf("%g became %g", d, got)
		}
	}
	if !slices.IsSortedFunc(keys, cmp.Compare[uint64]) {
		t.Errorf("the keys aren't in order: %x", keys)
	}
}
