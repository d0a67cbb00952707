package shale_test

import (
	"cmp"
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

const rangeRows = 1500

// rangeData are rows of which the last 100 are copies of the first one.
func rangeData(t *testing.T) vector.Matrix {
	t.Helper()
	rows := random(t, rangeRows, 8, 1)
	for i := rangeRows - 100; i < rangeRows; i++ {
		copy(vector.Row[float32](rows, i), vector.Row[float32](rows, 0))
	}
	return rows
}

// distancesTo computes the distances of all rows in float64, sorted.
func distancesTo(rows vector.Matrix, m vector.Metric, query []float32,
	allowed func(label uint64) bool) []search.Neighbor {
	var all []search.Neighbor
	for i := range rows.Rows() {
		if !allowed(uint64(i)) {
			continue
		}
		var square, inner, a, b float64
		for j, v := range vector.Row[float32](rows, i) {
			x, y := float64(v), float64(query[j])
			square += (x - y) * (x - y)
			inner += x * y
			a += x * x
			b += y * y
		}
		d := square
		switch m {
		case vector.IP:
			d = 1 - inner
		case vector.Cosine:
			d = 1 - inner/math.Sqrt(a*b)
		}
		all = append(all, search.Neighbor{Label: uint64(i), Distance: float32(d)})
	}
	slices.SortFunc(all, func(a, b search.Neighbor) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Label, b.Label))
	})
	return all
}

// radiusFor returns a radius that holds the first n of all or a few more: one between two distances that rounding
// doesn't confuse, and the number of rows within it.
func radiusFor(all []search.Neighbor, n int) (float32, int) {
	for ; n < len(all); n++ {
		if at, next := all[n-1].Distance, all[n].Distance; next-at > 1e-4 {
			return (at + next) / 2, n
		}
	}
	return float32(math.Inf(1)), len(all)
}

// rangeIndexes are indexes of every kind over the same rows.
func rangeIndexes(t *testing.T, rows vector.Matrix, m vector.Metric) map[string]*shale.Index {
	t.Helper()
	dir := t.TempDir()
	all := map[string]*shale.Index{}
	for name, o := range map[string]shale.BuildOptions{
		"rows":   {Codes: shale.Float32},
		"codes":  {Codes: shale.RaBitQ2, Rows: shale.RowsFloat32},
		"shards": {Codes: shale.RaBitQ2, Rows: shale.RowsFloat32, Shards: 3, Copies: 1.5},
	} {
		o.Metric, o.Threads, o.Path = m, 1, filepath.Join(dir, name)
		if err := buildAt(ctx, rows, o); err != nil {
			t.Fatal(err)
		}
		all[name] = reopened(t, o.Path, shale.OpenOptions{})
		all[name+", mapped"] = reopened(t, o.Path, shale.OpenOptions{Mapped: true})
	}
	return all
}

func TestRangeFindsAllWithin(t *testing.T) {
	race.SkipSequential(t)
	rows, queries := rangeData(t), random(t, 5, 8, 2)
	copy(vector.Row[float32](queries, 4), vector.Row[float32](rows, 0)) // which has copies
	set := func(label uint64) bool { return label%3 != 1 }
	all := func(uint64) bool { return true }
	for _, m := range []vector.Metric{vector.L2, vector.IP, vector.Cosine} {
		for name, x := range rangeIndexes(t, rows, m) {
			for _, allowed := range []func(uint64) bool{all, set} {
				o := search.Options{Ef: 2 * rangeRows}
				if allowed(1) == false {
					o.Filter = search.FilterFunc(allowed)
				}
				for q := range queries.Rows() {
					query := vector.Row[float32](queries, q)
					truth := distancesTo(rows, m, query, allowed)
					for _, n := range []int{1, 40, 700} {
						radius, within := radiusFor(truth, n)
						checkRange(t, x, query, radius, truth[:within], o, m.String()+", "+name)
					}
				}
			}
		}
	}
}

// checkRange tests that a range search gives exactly the rows wanted, and the nearest of them with a limit.
func checkRange(t *testing.T, x *shale.Index, query []float32, radius float32, want []search.Neighbor,
	o search.Options, name string) {
	t.Helper()
	found, err := x.Range(query, radius, 0, o)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(found) != len(want) {
		t.Fatalf("%s: %d rows within %v, want %d", name, len(found), radius, len(want))
	}
	labels := map[uint64]float32{}
	for _, w := range want {
		labels[w.Label] = w.Distance
	}
	for i, f := range found {
		d, ok := labels[f.Label]
		delete(labels, f.Label)
		if !ok || math.Abs(float64(f.Distance-d)) > 1e-4 || i > 0 && f.Distance < found[i-1].Distance {
			t.Fatalf("%s: result %d is %v, its distance is %v (%v)", name, i, f, d, ok)
		}
	}
	limit := max(len(found)/2, 1)
	few, err := x.Range(query, radius, limit, o)
	if err != nil || len(few) != min(limit, len(found)) {
		t.Fatalf("%s: %d rows of at most %d, %v", name, len(few), limit, err)
	}
	for i, f := range few {
		if f.Distance != found[i].Distance {
			t.Fatalf("%s: limited to %d, result %d is at %v, not %v", name, limit, i, f.Distance, found[i].Distance)
		}
	}
}

// TestRangeFindsAsManyAsSearch compares with plain searches of the same small ef.
func TestRangeFindsAsManyAsSearch(t *testing.T) {
	rows, queries := random(t, 4000, 8, 1), random(t, 40, 8, 2)
	x, err := shale.Build(ctx, rows, shale.BuildOptions{Codes: shale.Float32, M: 6, EfConstruction: 30, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	all := func(uint64) bool { return true }
	for _, deleted := range []bool{false, true} {
		for q := range queries.Rows() {
			query := vector.Row[float32](queries, q)
			radius, within := radiusFor(distancesTo(rows, vector.L2, query, all), 10)
			o := search.Options{Ef: 12}
			plain, err := x.Search(query, within, o)
			if err != nil {
				t.Fatal(err)
			}
			plain = slices.DeleteFunc(plain, func(n search.Neighbor) bool { return n.Distance > radius })
			found, err := x.Range(query, radius, 0, o)
			if err != nil || len(found) < len(plain) {
				t.Fatalf("query %d, deleted %v: %d rows within the radius, a plain search finds %d, %v",
					q, deleted, len(found), len(plain), err)
			}
			for _, f := range found {
				if f.Distance > radius || deleted && f.Label == 7 {
					t.Fatalf("query %d: %v is found, the radius is %v", q, f, radius)
				}
			}
		}
		if !deleted {
			if err := x.Delete(7, 8, 9); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestRangeWalks: walks with an ef far below the number of rows within the radius find nearly all of them, and of few
// rows on average no fewer than plain searches do.
func TestRangeWalks(t *testing.T) {
	race.SkipSequential(t)
	rows, queries := random(t, 4000, 8, 1), random(t, 20, 8, 2)
	all := func(uint64) bool { return true }
	for name, x := range rangeIndexes(t, rows, vector.L2) {
		for _, n := range []int{10, 300} {
			hits, plain, of := 0, 0, 0
			for q := range queries.Rows() {
				query := vector.Row[float32](queries, q)
				radius, within := radiusFor(distancesTo(rows, vector.L2, query, all), n)
				o := search.Options{Ef: 30, Probes: 3}
				found, err := x.Range(query, radius, 0, o)
				if err != nil {
					t.Fatal(err)
				}
				nearest, err := x.Search(query, 10, o)
				if err != nil {
					t.Fatal(err)
				}
				plain += len(slices.DeleteFunc(nearest, func(n search.Neighbor) bool { return n.Distance > radius }))
				hits += len(found)
				of += within
			}
			if hits < of*97/100 || hits < plain || hits > of {
				t.Errorf("%s: %d of %d rows found within the radius, %d by plain searches", name, hits, of, plain)
			}
		}
	}
}

func TestRangeBatchAnswersAsOneByOne(t *testing.T) {
	rows, queries := rangeData(t), random(t, 30, 8, 2)
	filters := make([]*search.Filter, queries.Rows())
	for i := range filters {
		if i%2 == 0 {
			filters[i] = search.FilterRange(uint64(i), rangeRows, 2)
		}
	}
	for name, x := range rangeIndexes(t, rows, vector.L2) {
		for _, threads := range []int{1, 3, 64} {
			var stats search.Stats
			got, err := x.RangeBatch(ctx, queries, 4, 50, search.Options{Filters: filters, Threads: threads, Stats: &stats})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if stats.Distances == 0 || stats.Probes < queries.Rows() || len(got.Labels) != len(got.Distances) {
				t.Errorf("%s: %+v, %d labels, %d distances", name, stats, len(got.Labels), len(got.Distances))
			}
			for q := range queries.Rows() {
				want, err := x.Range(vector.Row[float32](queries, q), 4, 50, search.Options{Filter: filters[q]})
				if err != nil {
					t.Fatal(err)
				}
				labels, distances := got.Of(q)
				for i, w := range want {
					if len(labels) != len(want) || labels[i] != w.Label || distances[i] != w.Distance {
						t.Fatalf("%s: query %d: %d results, want %d", name, q, len(labels), len(want))
					}
				}
			}
		}
	}
}

// TestStopOfAnIndex: a stop condition does the same in an index that is mapped, and several shards refuse it.
func TestStopOfAnIndex(t *testing.T) {
	document := func(label uint64) uint64 { return label / 3 }
	query := vector.Row[float32](random(t, 1, 8, 2), 0)
	all := rangeIndexes(t, random(t, 900, 8, 1), vector.L2)
	for _, name := range []string{"rows", "codes"} {
		var want []search.Neighbor
		for _, kind := range []string{"", ", mapped"} {
			o := search.Options{Stop: search.MultiVector(document, 4, 300)}
			found, err := all[name+kind].Search(query, 0, o)
			if err != nil {
				t.Fatal(err)
			}
			documents := map[uint64]bool{}
			for _, f := range found {
				documents[document(f.Label)] = true
			}
			if want == nil {
				want = found
			}
			if len(documents) != 4 || !slices.Equal(found, want) {
				t.Errorf("%s%s: %v of %d documents, want %v", name, kind, found, len(documents), want)
			}
		}
	}
	o := search.Options{Stop: search.MultiVector(document, 4, 300)}
	for _, name := range []string{"shards", "shards, mapped"} {
		if _, err := all[name].Search(query, 1, o); err == nil || !strings.Contains(err.Error(), "several shards") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRangeRefuses(t *testing.T) {
	nan, q := float32(math.NaN()), make([]float32, 8)
	for name, x := range onePerKind(t) {
		for says, call := range map[string]func() error{
			"the radius is NaN": func() error { _, err := x.Range(q, nan, 0, search.Options{}); return err },
			"the limit is -1":   func() error { _, err := x.Range(q, 1, -1, search.Options{}); return err },
			"ef is -5":          func() error { _, err := x.Range(q, 1, 0, search.Options{Ef: -5}); return err },
			"stop condition": func() error {
				_, err := x.Range(q, 1, 0, search.Options{Stop: search.Radius(1, 0, 1)})
				return err
			},
			"7 values": func() error { _, err := x.Range(q[:7], 1, 0, search.Options{}); return err },
			"9 values": func() error {
				_, err := x.RangeBatch(ctx, random(t, 2, 9, 1), 1, 0, search.Options{})
				return err
			},
			"1 filters for 2 queries": func() error {
				_, err := x.RangeBatch(ctx, random(t, 2, 8, 1), 1, 0, search.Options{Filters: make([]*search.Filter, 1)})
				return err
			},
			"context canceled": func() error {
				ended, cancel := context.WithCancel(ctx)
				cancel()
				_, err := x.RangeBatch(ended, random(t, 2, 8, 1), 1, 0, search.Options{})
				return err
			},
		} {
			if err := call(); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: got %v, want %q", name, err, says)
			}
		}
		for radius, want := range map[float32]int{float32(math.Inf(1)): 300, float32(math.Inf(-1)): 0, -1: 0} {
			if found, err := x.Range(q, radius, 0, search.Options{}); err != nil || len(found) != want {
				t.Errorf("%s: %d rows within %v, %v", name, len(found), radius, err)
			}
		}
		none, err := x.RangeBatch(ctx, random(t, 0, 8, 1), 1, 0, search.Options{})
		if err != nil || len(none.Offsets) != 1 || len(none.Labels) != 0 {
			t.Errorf("%s: no queries: %+v, %v", name, none, err)
		}
		x.Close()
		if _, err := x.Range(q, 1, 0, search.Options{}); !errors.Is(err, shale.ErrClosed) {
			t.Errorf("%s: closed: %v", name, err)
		}
	}
}
