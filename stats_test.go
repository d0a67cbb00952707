package shale_test

import (
	"path/filepath"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// TestStatsOfABatch: what a batch of no queries did is nothing, and exact is one of which every query was.
func TestStatsOfABatch(t *testing.T) {
	rows := random(t, 300, 4, 1)
	one := search.FilterLabels(7)
	graph := built(t, 300, shale.BuildOptions{Codes: shale.Float32})
	dir := filepath.Join(t.TempDir(), "shards")
	shards, err := shale.Build(ctx, rows, shale.BuildOptions{Path: dir, Shards: 2, Codes: shale.Float32})
	if err != nil {
		t.Fatal(err)
	}
	defer shards.Close()
	for name, x := range map[string]*shale.Index{"graph": graph, "shards": shards} {
		stale := search.Stats{Exact: true, Distances: 1, Hops: 1}
		queries := random(t, 4, x.Dim(), 2)
		o := search.Options{Stats: &stale, Exact: true}
		if _, err := x.SearchBatch(ctx, queries.Slice(0, 0), 3, o); err != nil || stale != (search.Stats{}) {
			t.Errorf("%s, no queries: %+v, %v", name, stale, err)
		}
		stale.Exact = true
		o = search.Options{Stats: &stale}
		if _, err := x.RangeBatch(ctx, queries.Slice(0, 0), 1, 0, o); err != nil || stale != (search.Stats{}) {
			t.Errorf("%s, no queries within a radius: %+v, %v", name, stale, err)
		}
	}
	exact := func(queries vector.Matrix, threads int, filters ...*search.Filter) bool {
		t.Helper()
		var s search.Stats
		o := search.Options{Stats: &s, Filters: filters, Threads: threads}
		if _, err := graph.SearchBatch(ctx, queries, 1, o); err != nil {
			t.Fatal(err)
		}
		return s.Exact
	}
	queries := random(t, 2, graph.Dim(), 2)
	for _, threads := range []int{1, 2} {
		if !exact(queries, threads, one, one) || exact(queries, threads, one, nil) || exact(queries, threads, nil, one) {
			t.Errorf("on %d threads a batch isn't exact just where each of its queries is", threads)
		}
	}
}
