package hnsw

import (
	"context"
	"fmt"
	"testing"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/shale-search/shale/search"
)

// randomSet holds about share of n labels, but some ten, picked without regard to their vectors.
func randomSet(n int, share float64) *roaring64.Bitmap {
	rnd := newRand(42)
	share = max(share, 10/float64(n))
	set := roaring64.New()
	for label := range n {
		if rnd.Float64() < share {
			set.Add(uint64(label))
		}
	}
	return set
}

func TestFilteredRecallOnRealData(t *testing.T) {
	t.Parallel()
	x, rows := realData(t)
	n := rows.Rows()
	queries := rows.Slice(n-60, n)
	for _, share := range []float64{0.5, 0.1, 0.01, 0.001} {
		set := randomSet(n, share)
		truth := flatTruth(t, queries, 10, set.Contains)
		for name, filter := range map[string]*search.Filter{"bitmap": search.FilterBitmap(set),
			"func": search.FilterFunc(set.Contains)} {
			got := recall(t, x.Search, queries, 10, search.Options{Filter: filter}, truth)
			t.Logf("%s, %v of %d: recall@10 %.4f", name, share, n, got)
			if got < 0.95 {
				t.Errorf("%s, %v of %d: recall@10 is %.4f", name, share, n, got)
			}
		}
	}
}

// TestCorrelatedFilterOnRealData allows only the elements nearest to the query or only those farthest from it.
func TestCorrelatedFilterOnRealData(t *testing.T) {
	x, rows := realData(t)
	n := rows.Rows()
	queries := rows.Slice(n-12, n)
	order := flatTruth(t, queries, n, nil)
	for _, share := range []float64{0.5, 0.1, 0.01} {
		for _, far := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/far=%v", share, far), func(t *testing.T) {
				hit, want := 0, 0
				for i := range queries.Rows() {
					q, allowed := decoded(queries, i), order(i)[:int(share*float64(n))]
					if far {
						allowed = order(i)[n-len(allowed):]
					}
					set := roaring64.New()
					for _, r := range allowed {
						set.Add(r.Label)
					}
					truth := allowed[:10]
					found, err := x.Search(q, 10, search.Options{Filter: search.FilterBitmap(set)})
					must(t, err)
					hit += hits(found, truth)
					want += len(truth)
				}
				got := float64(hit) / float64(want)
				t.Logf("recall@10 %.4f", got)
				if got < 0.95 {
					t.Errorf("recall@10 is %.4f", got)
				}
			})
		}
	}
}

// TestFiltersHideNothingElse: a filtered search with ef = n gives exactly the allowed elements, by walk and by scan.
func TestFiltersHideNothingElse(t *testing.T) {
	const n, dim = 400, 6
	rows := matrix(t, integerRows(n, dim, 3), dim)
	allow := func(label uint64) bool { return label%3 != 0 }
	set := roaring64.New()
	for label := range uint64(n) {
		if allow(label) {
			set.Add(label)
		}
	}
	set.Add(1 << 40) // labels that the index doesn't have do no harm
	x := build(t, Config{}, rows)
	deleted := func(label uint64) bool { return label%5 == 0 }
	for label := uint64(0); label < n; label += 5 {
		must(t, x.Delete(label))
	}
	both := func(label uint64) bool { return allow(label) && !deleted(label) }
	q := make([]float32, dim)
	want := nearest(Config{}, rows, nil, both, q, n)
	for _, filter := range []*search.Filter{search.FilterFunc(allow), search.FilterBitmap(set)} {
		for _, o := range []search.Options{{Filter: filter}, {Filter: filter, Stop: search.Radius(posInf, n, n)}} {
			got, err := x.Search(q, n, o)
			must(t, err)
			sameResults(t, got, want)
		}
	}
}

func TestSearchStats(t *testing.T) {
	x, rows := realData(t)
	q := decoded(rows, 0)
	var walked, scanned search.Stats
	_, err := x.Search(q, 10, search.Options{Stats: &walked})
	must(t, err)
	set := roaring64.BitmapOf(1, 5, 7, 1000)
	_, err = x.Search(q, 10, search.Options{Stats: &scanned, Filter: search.FilterBitmap(set)})
	must(t, err)
	if walked.Exact || walked.Hops < 50 || walked.Distances < 500 || walked.Distances > rows.Rows() {
		t.Errorf("a walk did %+v", walked)
	}
	if want := (search.Stats{Distances: 4, Exact: true, Probes: 1}); scanned != want {
		t.Errorf("a scan did %+v, want %+v", scanned, want)
	}
}

// TestFilterRange: every step-th label of a range, whatever it spans.
func TestFilterRange(t *testing.T) {
	const n, dim = 400, 4
	rows := matrix(t, randomRows(n, dim, 21), dim)
	eachEngine(t, Config{Dim: dim}, func(t *testing.T, x engine) {
		must(t, x.AddBatch(context.Background(), rows, nil, BatchOptions{}))
		must(t, x.Add(search.NoLabel-1, decoded(rows, 0), AddOptions{}))
		for _, c := range []struct {
			first, last, step uint64
			want              int
		}{
			{0, search.NoLabel, 1, n + 1}, {0, search.NoLabel - 1, 0, n + 1}, {100, 199, 1, 100},
			{7, n - 1, 3, 131}, {5, 5, 9, 1},
			{9, 3, 1, 0},
			{1, search.NoLabel - 1, search.NoLabel - 2, 2},
		} {
			found, err := x.Search(decoded(rows, 3), 2*n, search.Options{Filter: search.FilterRange(c.first, c.last, c.step)})
			must(t, err)
			if len(found) != c.want {
				t.Errorf("%+v: %d results", c, len(found))
			}
			for _, f := range found {
				if f.Label < c.first || f.Label > c.last || (f.Label-c.first)%max(c.step, 1) != 0 {
					t.Errorf("%+v: label %d", c, f.Label)
				}
			}
		}
	})
}
