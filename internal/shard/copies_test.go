package shard

import (
	"math/rand/v2"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// TestCopiesInShards divides copies of a row, more than a shard holds, among shards of which a search probes a part.
func TestCopiesInShards(t *testing.T) {
	const n, copies, dim = 3000, 1000, 16
	rnd := rand.New(rand.NewPCG(3, 3))
	values := make([]float32, n*dim)
	for i := range values {
		values[i] = float32(rnd.NormFloat64())
	}
	isCopy := map[uint64]bool{}
	for _, i := range rnd.Perm(n)[:copies] {
		copy(values[i*dim:(i+1)*dim], values[n*dim-dim:])
		isCopy[uint64(i)] = true
	}
	isCopy[n-1] = true
	rows := must(vector.Of(values, dim))
	for _, c := range []hnsw.Config{{M: 8, EfConstruction: 60}, codes2(vector.Cosine)} {
		x := opened(t, built(t, rows, BuildOptions{Config: c, Shards: 6}), OpenOptions{})
		found := must(x.SearchInto(nil, values[n*dim-dim:], len(isCopy), search.Options{}))
		hit := 0
		for _, f := range found {
			if isCopy[f.Label] {
				hit++
			}
		}
		if hit != len(isCopy) {
			t.Errorf("%s: %d of %d copies are found", c.Metric, hit, len(isCopy))
		}
		if n := must(x.Unreachable()); n != 0 {
			t.Errorf("%s: %d rows can't be reached", c.Metric, n)
		}
	}
}
