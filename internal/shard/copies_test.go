package shard

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// TestCopiesInShards divides copies of a row, more than a shard holds, among shards of which a search probes a part.
func TestCopiesInShards(t *testing.T) {
	race.SkipSequential(t)
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

// TestCopiesInShardsHarmNoOthers compares an index of rows with one of the same rows, of which some are there many
// times more. The other rows are found as before, and so are all copies.
func TestCopiesInShardsHarmNoOthers(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	const n, groups, copies, dim, shards = 2500, 20, 60, 16, 3
	rows, queries := clustered(n, dim, 1), clustered(100, dim, 1)
	var values []float32
	for i := range n + groups*copies {
		if i >= n {
			i = (i - n) % groups
		}
		values = append(values, vector.Row[float32](rows, i)...)
	}
	more := must(vector.Of(values, dim))
	for name, c := range map[string]struct {
		config hnsw.Config
		blocks bool
	}{
		"rows":           {config: hnsw.Config{M: 8, EfConstruction: 60}},
		"codes, cosine":  {config: codes2(vector.Cosine)},
		"blocks, l2":     {config: codes2(vector.L2), blocks: true},
		"blocks, cosine": {config: codes2(vector.Cosine), blocks: true},
	} {
		t.Run(name, func(t *testing.T) {
			o := search.Options{Probes: shards, Ef: 60} // routing differs with the copies
			recall := func(rows vector.Matrix) (*Index, float64) {
				dir := built(t, rows, BuildOptions{Config: c.config, Shards: shards, Blocks: c.blocks, Threads: 1})
				var memory OpenOptions
				if c.blocks {
					memory = codesOnly(t, dir, 0)
				}
				x := opened(t, dir, memory)
				right, of := 0, 0
				for q := range queries.Rows() {
					query := vector.Row[float32](queries, q)
					truth := nearest(more, c.config.Metric, query, 10, nil)
					truth = slices.DeleteFunc(truth, func(f search.Neighbor) bool { return f.Label < groups || f.Label >= n })
					right, of = right+hits(must(x.SearchInto(nil, query, 10, o)), truth), of+len(truth)
				}
				return x, float64(right) / float64(of)
			}
			_, without := recall(rows)
			x, with := recall(more)
			if with < without-0.005 {
				t.Errorf("recall is %.4f, without copies it is %.4f", with, without)
			}
			for g := range groups {
				for _, f := range must(x.SearchInto(nil, vector.Row[float32](rows, g), copies+1, search.Options{Probes: shards})) {
					if f.Label != uint64(g) && (f.Label < n || (f.Label-n)%groups != uint64(g)) {
						t.Fatalf("%d is found before all copies of %d are", f.Label, g)
					}
				}
			}
		})
	}
}
