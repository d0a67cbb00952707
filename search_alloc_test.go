//go:build !race

package shale_test

import (
	"testing"

	"github.com/shale-search/shale/search"
)

// TestSearchesDoNotAllocate is left out under the race detector, which makes sync.Pool forget at random.
func TestSearchesDoNotAllocate(t *testing.T) {
	for name, x := range onePerKind(t) {
		dst, query := make([]search.Neighbor, 0, 20), make([]float32, 8)
		var stats search.Stats
		for what, o := range map[string]search.Options{
			"plain": {}, "stats": {Stats: &stats, Ef: 50}, "filter": {Filter: search.FilterRange(0, 200, 2)},
		} {
			allocs := testing.AllocsPerRun(50, func() {
				if _, err := x.SearchInto(dst, query, 10, o); err != nil {
					t.Fatal(err)
				}
			})
			if allocs != 0 {
				t.Errorf("%s, %s: %v allocations a search", name, what, allocs)
			}
		}
	}
}
