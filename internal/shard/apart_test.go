package shard

import (
	"context"
	"errors"
	"math"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// apartCase returns an index with codes that is mapped, the same with its rows read apart, and queries.
func apartCase(t *testing.T) (mapped, apart *Index, queries vector.Matrix) {
	t.Helper()
	rows := clustered(9000, 40, 5)
	dir := built(t, rows, BuildOptions{Config: codes2(vector.L2), Shards: 3, Centroids: 32})
	return opened(t, dir, OpenOptions{Mapped: true}), opened(t, dir, OpenOptions{Mapped: true, RowsApart: true}),
		rows.Slice(0, 60)
}

// answers returns what searches with several options find for queries.
func answers(t *testing.T, x *Index, queries vector.Matrix) (all [][]search.Neighbor) {
	t.Helper()
	even := search.FilterFunc(func(label uint64) bool { return label%2 == 0 })
	query := make([]float32, x.Dim())
	for i := range queries.Rows() {
		queries.Decode(i, query)
		for _, o := range []search.Options{{Ef: 30}, {Ef: 30, Filter: even}, {Exact: true}} {
			o.Independent = true
			found, err := x.SearchInto(nil, query, 5, o)
			if err != nil {
				t.Error(err)
			}
			all = append(all, found)
		}
	}
	return all
}

// equalAnswers compares answers. Distances may differ by their rounding, which depends on how many rows are compared at
// a time.
func equalAnswers(a, b [][]search.Neighbor) bool {
	return slices.EqualFunc(a, b, func(a, b []search.Neighbor) bool {
		return slices.EqualFunc(a, b, func(a, b search.Neighbor) bool {
			return a.Label == b.Label && math.Abs(float64(a.Distance-b.Distance)) <= 1e-6*float64(a.Distance)
		})
	})
}

// TestRowsApart finds the same with rows that are mapped and with rows that are read apart.
func TestRowsApart(t *testing.T) {
	mapped, apart, queries := apartCase(t)
	if !equalAnswers(answers(t, mapped, queries), answers(t, apart, queries)) {
		t.Error("other rows are found")
	}
	one, err := mapped.SearchBatch(context.Background(), queries, 5, search.Options{Threads: 2, Independent: true})
	if err != nil {
		t.Fatal(err)
	}
	other, err := apart.SearchBatch(context.Background(), queries, 5, search.Options{Threads: 2, Independent: true})
	if err != nil || !slices.Equal(one.Labels, other.Labels) {
		t.Errorf("a batch finds other rows, %v", err)
	}
	if s := apart.Plan().String(); s == mapped.Plan().String() {
		t.Errorf("the plan is %q", s)
	}
}

// TestRowsApartAreChecked damages a row that the best candidate needs.
func TestRowsApartAreChecked(t *testing.T) {
	race.SkipSequential(t)
	_, apart, queries := apartCase(t)
	for _, p := range apart.parts {
		f := must(os.OpenFile(p.rows.path, os.O_RDWR, 0))
		for at := int64(0); at < p.rows.place.Bytes(); at += store.SumBlock {
			if _, err := f.WriteAt([]byte{0xa5, 0x5a, 0xa5}, p.rows.place.Offset+at+7); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	query := make([]float32, apart.Dim())
	queries.Decode(0, query)
	damage := (*store.FormatError)(nil)
	if _, err := apart.SearchInto(nil, query, 5, search.Options{}); !errors.As(err, &damage) {
		t.Errorf("damaged rows give %v", err)
	}
}

// TestPin pins shards, with rows that are mapped and that are read apart, while others search.
func TestPin(t *testing.T) {
	mapped, apart, queries := apartCase(t)
	if race.Enabled {
		queries = queries.Slice(0, 6)
	}
	want := answers(t, mapped, queries)
	for name, x := range map[string]*Index{"mapped": mapped, "apart": apart} {
		if err := x.ReadAhead(); err != nil {
			t.Fatal(err)
		}
		if n, err := x.Pin(10_000); n != 0 || err != nil {
			t.Errorf("%s: %d bytes in room for none, %v", name, n, err)
		}
		var searching sync.WaitGroup
		for range 2 {
			searching.Go(func() {
				if !equalAnswers(answers(t, x, queries), want) {
					t.Errorf("%s: other rows are found meanwhile", name)
				}
			})
		}
		first := must(x.parts[0].PinBytes())
		if x.router != nil {
			first += must(x.router.index.PinAllBytes())
		}
		n, err := x.Pin(first)
		rest, again := must(x.Pin(1<<30)), must(x.Pin(1<<30))
		if n != first || err != nil || rest <= first || again != 0 {
			t.Errorf("%s: %d, %d and %d bytes, not %d, more, and none, %v", name, n, rest, again, first, err)
		}
		searching.Wait()
		if !equalAnswers(answers(t, x, queries), want) {
			t.Errorf("%s: other rows are found", name)
		}
	}
}

// TestExactComparesAllRows compares exact searches of indexes whose rows are mapped, on disk and apart with a
// comparison of all rows.
func TestExactComparesAllRows(t *testing.T) {
	race.SkipSequential(t)
	const n, k = 9000, 10
	rows := clustered(n, 40, 5)
	for name, c := range map[string]BuildOptions{
		"l2": {Config: codes2(vector.L2)}, "cosine, copies": {Config: codes2(vector.Cosine), Copies: 1.5},
	} {
		c.Shards, c.Centroids = 3, 32
		dir := built(t, rows, c)
		odd := func(label uint64) bool { return label%2 == 1 }
		for place, o := range map[string]OpenOptions{
			"mapped": {Mapped: true}, "disk": {Memory: small(t, dir)}, "apart": {Mapped: true, RowsApart: true},
		} {
			x := opened(t, dir, o)
			queries := clustered(40, 40, 6)
			batch := must(x.SearchBatch(context.Background(), queries, k, search.Options{Exact: true}))
			query := make([]float32, 40)
			for i := range queries.Rows() {
				queries.Decode(i, query)
				want := nearest(rows, c.Config.Metric, query, k, odd)
				found := must(x.SearchInto(nil, query, k, search.Options{Exact: true, Filter: search.FilterFunc(odd)}))
				if hits(found, want) != k {
					t.Errorf("%s, %s: query %d finds %v, not %v", name, place, i, found, want)
				}
				want = nearest(rows, c.Config.Metric, query, k, nil)
				for _, w := range want {
					if !slices.Contains(batch.Labels[i*k:(i+1)*k], w.Label) {
						t.Errorf("%s, %s: query %d of a batch doesn't find %v", name, place, i, w)
					}
				}
			}
		}
	}
}

// TestReadAhead scores rows of mapped shards that are asked for before.
func TestReadAhead(t *testing.T) {
	race.SkipSequential(t)
	mapped, _, queries := apartCase(t)
	want := answers(t, mapped, queries)
	mapped.ahead.batches.Store(1) // the next batch isn't looked at
	mapped.ahead.cold.Store(true)
	if !equalAnswers(answers(t, mapped, queries), want) {
		t.Error("other rows are found")
	}
}
