//go:build !race

package shard

import (
	"testing"

	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// TestSearchesOfShardsDoNotAllocate is left out under the race detector, which makes sync.Pool forget at random.
func TestSearchesOfShardsDoNotAllocate(t *testing.T) {
	rows := clustered(3000, 16, 6)
	x := opened(t, built(t, rows, BuildOptions{Config: codes2(vector.L2), Shards: 5, Copies: 2}), OpenOptions{})
	query, dst := vector.Row[float32](rows, 7), make([]search.Neighbor, 0, 10)
	for _, o := range []search.Options{
		{Probes: 3},
		{Probes: 5, Threads: 2, Ef: walkWork},
	} {
		search := func() {
			if _, err := x.SearchInto(dst, query, 10, o); err != nil {
				t.Fatal(err)
			}
		}
		for range 20 {
			search()
		}
		if n := testing.AllocsPerRun(100, search); n != 0 {
			t.Errorf("%d threads: %v allocations a search", o.Threads, n)
		}
	}
}
