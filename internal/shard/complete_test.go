package shard

import (
	"context"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// TestAsManyResultsAsThereAre: a search gives k rows, or all that it may return, however few shards it probes.
func TestAsManyResultsAsThereAre(t *testing.T) {
	t.Parallel()
	const n, dim, asked = 1200, 32, 17
	rows, queries := clustered(n, dim, 8), clustered(asked, dim, 8)
	dir := built(t, rows, BuildOptions{Config: codes2(vector.L2), Shards: 5, Copies: 1.4, Blocks: true})
	memory := opened(t, dir, OpenOptions{}).Plan().MemoryBytes
	some := func(label uint64) bool { return label%3 == 0 }
	for name, open := range map[string]OpenOptions{
		"memory": {}, "rows on disk": {Memory: memory - 1}, "links on disk": codesOnly(t, dir, 0), "mapped": {Mapped: true},
	} {
		x := opened(t, dir, open)
		for _, k := range []int{100, 399, 400, 401, n - 1, n, 5 * n} {
			for _, allow := range []func(uint64) bool{nil, some} {
				o := search.Options{Ef: 10, Probes: 1}
				want := min(k, n)
				if allow != nil {
					o.Filter = search.FilterFunc(allow)
					want = min(k, n/3)
				}
				out, err := x.SearchBatch(context.Background(), queries, k, onThreads(2, o))
				if err != nil {
					t.Fatal(err)
				}
				for q := range asked {
					if out.Counts[q] != want {
						t.Errorf("%s, k %d: query %d of a batch has %d results, not %d", name, k, q, out.Counts[q], want)
					}
				}
				found, err := x.SearchInto(nil, vector.Row[float32](queries, 0), k, o)
				if err != nil || len(found) != want {
					t.Errorf("%s, k %d: %d results, not %d: %v", name, k, len(found), want, err)
				}
				if want < k && !slices.EqualFunc(found, nearest(rows, vector.L2, vector.Row[float32](queries, 0), want, allow),
					sameLabel) {
					t.Errorf("%s, k %d: all rows there are come in another order", name, k)
				}
			}
		}
	}
}

func sameLabel(a, b search.Neighbor) bool { return a.Label == b.Label }

// TestPartsGiven: a search that names its shards finds all rows of these, and no others.
func TestPartsGiven(t *testing.T) {
	const n, dim = 600, 8
	rows := clustered(n, dim, 9)
	x := opened(t, built(t, rows, BuildOptions{Config: hnsw.Config{M: 6}, Shards: 4}), OpenOptions{})
	want := x.parts[2].Len()
	found, err := x.SearchInto(nil, make([]float32, dim), n, search.Options{Shards: []uint32{2, 77}})
	if err != nil || len(found) != want {
		t.Errorf("%d results, not %d: %v", len(found), want, err)
	}
}
