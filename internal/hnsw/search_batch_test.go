package hnsw

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// sameAsOneByOne checks a batch against single searches.
func sameAsOneByOne(t *testing.T, x engine, queries vector.Matrix, k int, o search.Options) {
	t.Helper()
	out, err := x.SearchBatch(context.Background(), queries, k, o)
	must(t, err)
	rows := queries.Rows()
	if out.K != k || len(out.Labels) != rows*k || len(out.Distances) != rows*k || len(out.Counts) != rows {
		t.Fatalf("K %d, %d labels, %d distances, %d counts", out.K, len(out.Labels), len(out.Distances), len(out.Counts))
	}
	for row := range rows {
		single := o
		single.Filters = nil
		if o.Filters != nil {
			single.Filter = o.Filters[row]
		}
		want, err := x.Search(decoded(queries, row), k, single)
		must(t, err)
		if out.Counts[row] != len(want) {
			t.Fatalf("query %d: %d results, want %d", row, out.Counts[row], len(want))
		}
		for i := range k {
			got := search.Neighbor{Label: out.Labels[row*k+i], Distance: out.Distances[row*k+i]}
			if i < len(want) && got != want[i] || i >= len(want) &&
				got != (search.Neighbor{Label: search.NoLabel, Distance: posInf}) {
				t.Fatalf("query %d, result %d is %v", row, i, got)
			}
		}
	}
}

func TestSearchBatch(t *testing.T) {
	const n, dim = 1500, 6
	rows := matrix(t, integerRows(n, dim, 1), dim)
	data := integerRows(40, dim, 2)
	third := search.FilterFunc(func(label uint64) bool { return label%3 == 0 })
	few := roaring64.BitmapOf(3, 5, 700, 1<<40)
	half := roaring64.New()
	half.AddRange(0, n/2)
	filters := make([]*search.Filter, 40)
	for i := range filters {
		filters[i] = []*search.Filter{nil, third, search.FilterBitmap(few)}[i%3]
	}
	options := map[string]search.Options{
		"plain":       {},
		"one thread":  {Threads: 1},
		"function":    {Filter: third},
		"few":         {Filter: search.FilterBitmap(few)},
		"half":        {Filter: search.FilterBitmap(half), Ef: 20, Threads: 3},
		"one by each": {Filters: filters, Filter: third},
	}
	eachEngine(t, Config{Dim: dim}, func(t *testing.T, x engine) {
		must(t, x.AddBatch(context.Background(), rows, nil, BatchOptions{Threads: 1}))
		for name, o := range options {
			t.Run(name, func(t *testing.T) { sameAsOneByOne(t, x, matrix(t, data, dim), 7, o) })
		}
		t.Run("types", func(t *testing.T) {
			half, bytes, unsigned := make([]uint16, len(data)), make([]int8, len(data)), make([]uint8, len(data))
			for i, v := range data {
				half[i], bytes[i], unsigned[i] = floats.ToHalf(v), int8(v), uint8(v+8)
			}
			for _, queries := range []vector.Matrix{matrix(t, half, dim), matrix(t, bytes, dim), matrix(t, unsigned, dim)} {
				sameAsOneByOne(t, x, queries, 5, search.Options{})
			}
		})
		sameAsOneByOne(t, x, matrix(t, []float32{}, dim), 5, search.Options{})
	})
}

func TestSearchBatchErrors(t *testing.T) {
	x := points(t, Config{})
	ctx := context.Background()
	good := matrix(t, append(point(1), point(2)...), 2)
	bad := matrix(t, slices.Concat(point(1), point(1), point(nan), point(1), point(nan)), 2)
	for _, threads := range []int{1, 2, 5} {
		_, err := x.SearchBatch(ctx, bad, 1, search.Options{Threads: threads})
		wantError(t, err, ErrNotFinite)
		if !strings.Contains(err.Error(), "query 2:") {
			t.Errorf("%v doesn't name row 2", err)
		}
	}
	_, err := x.SearchBatch(ctx, matrix(t, []float32{1, 2, 3}, 3), 1, search.Options{})
	wantError(t, err, vector.ErrDim)
	for _, k := range []int{0, -1, math.MaxInt} {
		if _, err := x.SearchBatch(ctx, good, k, search.Options{}); err == nil {
			t.Errorf("k %d was accepted", k)
		}
	}
	for name, o := range map[string]search.Options{
		"stop":    {Stop: search.Radius(1, 1, 1)},
		"filters": {Filters: make([]*search.Filter, 1)},
	} {
		if _, err := x.SearchBatch(ctx, good, 1, o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	_, err = x.SearchBatch(ctx, good, 1, search.Options{})
	wantError(t, err, context.Canceled)
}

func TestSearchBatchSumsStats(t *testing.T) {
	x := points(t, Config{})
	var stats search.Stats
	queries := matrix(t, integerRows(9, 2, 1), 2)
	filter := search.FilterFunc(func(uint64) bool { return true })
	o := search.Options{Filter: filter, Stats: &stats, Threads: 3}
	_, err := x.SearchBatch(context.Background(), queries, 10, o)
	must(t, err)
	if want := (search.Stats{Distances: 90, Exact: true, Probes: 9}); stats != want {
		t.Errorf("%+v, want %+v", stats, want)
	}
}

// TestResolvedFilterFollowsTheLabels: elements that come later are asked for by label, and so are all once labels
// moved.
func TestResolvedFilterFollowsTheLabels(t *testing.T) {
	x, err := NewFlat(Config{Dim: 2})
	must(t, err)
	defer x.Close()
	for i := range 64 {
		must(t, x.Add(uint64(i), point(float32(i)), AddOptions{}))
	}
	set := roaring64.BitmapOf(1, 5, 63, 64, 65)
	f := search.FilterBitmap(set)
	resolved, err := x.resolved(f)
	must(t, err)
	if resolved == nil || resolved.count != 3 {
		t.Fatalf("resolved to %+v", resolved)
	}
	labels := func() []uint64 {
		found, err := x.searchInto(nil, point(0), 10, &task{o: search.Options{Filter: f}, resolved: resolved})
		must(t, err)
		var all []uint64
		for _, n := range found {
			all = append(all, n.Label)
		}
		return all
	}
	must(t, x.Add(65, point(-1), AddOptions{}))
	if got := labels(); !slices.Equal(got, []uint64{1, 65, 5, 63}) {
		t.Fatalf("found %v", got)
	}
	must(t, x.Delete(5)) // 65 moves to its place
	must(t, x.Delete(1)) // 63 moves to its place
	must(t, x.Delete(0))
	if got := labels(); !slices.Equal(got, []uint64{65, 63}) {
		t.Fatalf("found %v", got)
	}
}
