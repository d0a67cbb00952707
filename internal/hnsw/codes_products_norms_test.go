package hnsw

import (
	"context"
	"math"
	"testing"

	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// longTailedRows are n rows whose lengths are distributed lognormally.
func longTailedRows(n, dim int, sigma float64, seed uint64) []float32 {
	data, rnd := randomRows(n, dim, seed), newRand(seed+1000)
	for i := range n {
		f := float32(math.Exp(sigma * rnd.NormFloat64()))
		for j := range dim {
			data[i*dim+j] *= f
		}
	}
	return data
}

// TestProductsOfUnequalRows: by the inner product short rows are found as well as long ones. Of 1,000 neighbours a
// graph whose links are chosen by distances misses 180 where lengths are this unequal, and of 100 it misses 10.
func TestProductsOfUnequalRows(t *testing.T) {
	race.SkipSequential(t)
	const n, dim, queries = 4000, 24, 20
	for name, c := range map[string]Config{
		"rows": {}, "codes": {Codes: Codes{Bits: 4}}, "halves": {Storage: vector.Float16},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.Dim, c.Metric = dim, vector.IP
			data := longTailedRows(n, dim, 1, 5)
			rows := matrix(t, data, dim)
			x, err := New(c)
			must(t, err)
			defer x.Close()
			must(t, x.AddBatch(context.Background(), rows, nil, BatchOptions{Threads: 1})) // the same graph every time
			for k, least := range map[int]float64{10: 0.97, 100: 0.96, 1000: 0.96} {
				hits := 0
				for q := range queries {
					query := randomRows(1, dim, uint64(900+q))
					want := nearest(c, rows, nil, nil, query, k)
					found, err := x.Search(query, k, search.Options{Ef: 2 * max(k, 50)})
					must(t, err)
					if len(found) != k {
						t.Fatalf("k %d: %d results", k, len(found))
					}
					among := map[uint64]bool{}
					for _, w := range want {
						among[w.Label] = true
					}
					for _, f := range found {
						if among[f.Label] {
							hits++
						}
					}
				}
				if recall := float64(hits) / float64(queries*k); recall < least {
					t.Errorf("recall@%d is %.3f, not %.2f", k, recall, least)
				}
			}
		})
	}
}

// TestAsManyResultsAsThereAre: also where hardly any link leads on.
func TestAsManyResultsAsThereAre(t *testing.T) {
	race.SkipSequential(t)
	const n, dim = 4000, 8
	rows := randomRows(n, dim, 3)
	for name, c := range map[string]Config{
		"rows": {}, "codes": {Codes: Codes{Bits: 4}}, "codes alone": {Storage: rowtype.NoRows, Codes: Codes{Bits: 8}},
	} {
		c.Dim = dim
		x, err := New(c)
		must(t, err)
		defer x.Close()
		must(t, x.AddBatch(context.Background(), matrix(t, rows, dim), nil, BatchOptions{}))
		g := x.graph.Load()
		clear(g.links0)
		clear(g.upper)
		even := search.FilterFunc(func(label uint64) bool { return label%2 == 0 })
		for _, deletions := range []bool{false, true} {
			for l := range uint64(100) {
				if deletions {
					must(t, x.Delete(7*l+1))
				}
			}
			live := n - x.Deleted()
			for _, k := range []int{1, 10, 300} {
				for _, filter := range []*search.Filter{nil, even} {
					o := search.Options{Ef: 20, Filter: filter}
					found, err := x.Search(rows[:dim], k, o)
					must(t, err)
					out, err := x.SearchBatch(context.Background(), matrix(t, rows[:5*dim], dim), k,
						o)
					must(t, err)
					for _, got := range append(out.Counts, len(found)) {
						if got != k {
							t.Errorf("%s: %d results of %d rows, k is %d", name, got, live, k)
						}
					}
				}
			}
		}
		found, err := x.Search(rows[:dim], n, search.Options{Filter: even})
		must(t, err)
		wanted := 0
		for l := range uint64(n) {
			if l%2 == 0 && (l%7 != 1 || l/7 >= 100) {
				wanted++
			}
		}
		if len(found) != wanted {
			t.Errorf("%s: %d results of %d that the filter allows", name, len(found), wanted)
		}
	}
}
