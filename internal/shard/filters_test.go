package shard

import (
	"context"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// Each query of a batch has a filter of its own, however the rows lie.
func TestFiltersOfABatch(t *testing.T) {
	const k = 5
	rows, queries := clustered(4000, 96, 2), clustered(40, 96, 2)
	dir := built(t, rows, BuildOptions{Config: codes2(vector.L2), Shards: 3})
	memory := opened(t, dir, OpenOptions{}).Plan().MemoryBytes
	filters := make([]*search.Filter, queries.Rows())
	for q := range filters {
		if q%3 != 0 {
			filters[q] = search.FilterFunc(func(l uint64) bool { return l%uint64(queries.Rows()) == uint64(q) })
		}
	}
	for name, o := range map[string]OpenOptions{"memory": {}, "disk": {Memory: memory - 1}, "mapped": {Mapped: true}} {
		t.Run(name, func(t *testing.T) {
			x := opened(t, dir, o)
			out := must(request.NewResults(queries.Rows(), k))
			if err := x.SearchBatchInto(context.Background(), queries, out,
				search.Options{Probes: 3, Filters: filters, Threads: 2}); err != nil {
				t.Fatal(err)
			}
			for q := range queries.Rows() {
				alone := search.Options{Probes: 3}
				alone.Filter = filters[q]
				want, err := x.SearchInto(nil, vector.Row[float32](queries, q), k, alone)
				if err != nil {
					t.Fatal(err)
				}
				got := out.Labels[q*k : (q+1)*k]
				if len(want) != k || !slices.EqualFunc(got, want, func(l uint64, n search.Neighbor) bool { return l == n.Label }) {
					t.Errorf("query %d: %v, alone %v", q, got, want)
				}
			}
		})
	}
}

func TestSearchBatchIntoRefuses(t *testing.T) {
	rows, queries := clustered(600, 16, 2), clustered(3, 16, 2)
	x := opened(t, built(t, rows, BuildOptions{Config: codes2(vector.L2), Shards: 2}), OpenOptions{})
	short := must(request.NewResults(3, 4))
	short.Distances = short.Distances[:11]
	for name, call := range map[string]func() error{
		"k": func() error {
			return x.SearchBatchInto(context.Background(), queries, &search.Results{}, search.Options{Threads: 1})
		},
		"room": func() error {
			return x.SearchBatchInto(context.Background(), queries, short, search.Options{Threads: 1})
		},
		"filters": func() error {
			return x.SearchBatchInto(context.Background(), queries, must(request.NewResults(3, 4)),
				search.Options{Filters: make([]*search.Filter, 2), Threads: 1})
		},
		"dim": func() error {
			return x.SearchBatchInto(context.Background(), clustered(3, 8, 2), must(request.NewResults(3, 4)),
				search.Options{Threads: 1})
		},
	} {
		if call() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
