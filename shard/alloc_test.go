//go:build !race

package shard

import (
	"testing"

	"github.com/shale-search/shale/hnsw"
	"github.com/shale-search/shale/vector"
)

// TestSearchesOfShardsDoNotAllocate is left out under the race detector, which makes sync.Pool forget at random.
func TestSearchesOfShardsDoNotAllocate(t *testing.T) {
	rows := clustered(3000, 16, 6)
	x := opened(t, built(t, rows, BuildOptions{Config: codes2(vector.L2), Shards: 5, Copies: 2}), OpenOptions{})
	query, dst := vector.Row[float32](rows, 7), make([]hnsw.Neighbor, 0, 10)
	search := func() {
		if _, err := x.SearchInto(dst, query, 10, SearchOptions{Probes: 3}); err != nil {
			t.Fatal(err)
		}
	}
	search()
	if n := testing.AllocsPerRun(100, search); n != 0 {
		t.Errorf("%v allocations a search", n)
	}
}
