package hnsw

import (
	"context"
	"slices"
	"testing"

	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// TestEpsilonFindsWhatPlainSearchesFind: of rows within any radius, a range search gives at least those that a plain
// search with the same ef meets: both expand the same candidates, and the plain search ends first.
func TestEpsilonFindsWhatPlainSearchesFind(t *testing.T) {
	const n, dim, ef, queries = 3000, 12, 20, 40
	data := randomRows(n, dim, 27)
	asked := randomRows(queries, dim, 28)
	even := search.FilterFunc(func(label uint64) bool { return label%2 == 0 })
	for _, metric := range []vector.Metric{vector.L2, vector.IP, vector.Cosine} {
		x, err := New(Config{Dim: dim, Metric: metric, M: 8, EfConstruction: 60})
		must(t, err)
		defer x.Close()
		must(t, x.AddBatch(context.Background(), matrix(t, data, dim), nil, BatchOptions{Threads: 1}))
		for _, deleted := range []bool{false, true} {
			if deleted {
				for l := range uint64(n / 5) {
					must(t, x.Delete(5*l))
				}
			}
			for _, filter := range []*search.Filter{nil, even} {
				for q := range queries {
					query := asked[q*dim : (q+1)*dim]
					near, err := x.Search(query, ef, search.Options{Ef: ef, Filter: filter})
					must(t, err)
					for _, rank := range []int{0, 3, ef - 1} {
						epsilon := near[rank].Distance
						o := search.Options{Ef: ef, Filter: filter, Stop: search.Radius(epsilon, 1, n)}
						var stats search.Stats
						o.Stats = &stats
						found, err := x.Search(query, 0, o)
						must(t, err)
						if stats.Exact {
							t.Fatal("nothing was walked")
						}
						for _, want := range near[:rank+1] {
							if !slices.Contains(found, want) {
								t.Fatalf("%v, query %d, radius of rank %d: %v isn't among %v", metric, q, rank, want, found)
							}
						}
						if last := found[len(found)-1]; last.Distance > epsilon {
							t.Fatalf("%v is beyond %v", last, epsilon)
						}
					}
				}
			}
		}
	}
}

// TestEpsilonWithFewResults: a bound on the number of results makes the walk no narrower than its ef.
func TestEpsilonWithFewResults(t *testing.T) {
	const n, dim, ef, most = 3000, 12, 30, 4
	data := randomRows(n, dim, 29)
	x, err := New(Config{Dim: dim, M: 8, EfConstruction: 60})
	must(t, err)
	defer x.Close()
	must(t, x.AddBatch(context.Background(), matrix(t, data, dim), nil, BatchOptions{Threads: 1}))
	for q := range 40 {
		query := randomRows(1, dim, uint64(1000+q))
		near, err := x.Search(query, most, search.Options{Ef: ef})
		must(t, err)
		found, err := x.Search(query, 0, search.Options{Ef: ef, Stop: search.Radius(posInf, 1, most)})
		must(t, err)
		sameResults(t, found, near)
	}
}

// TestEpsilonIsExactWhereFewAreAllowed: a narrow filter is no reason to walk past all others.
func TestEpsilonIsExactWhereFewAreAllowed(t *testing.T) {
	const n, dim = 3000, 8
	data := randomRows(n, dim, 31)
	few := search.FilterFunc(func(label uint64) bool { return label%100 == 7 })
	for _, codes := range []Codes{{}, {Bits: 4}} {
		x, err := New(Config{Dim: dim, M: 8, EfConstruction: 40, Codes: codes})
		must(t, err)
		defer x.Close()
		must(t, x.AddBatch(context.Background(), matrix(t, data, dim), nil, BatchOptions{}))
		for q := range 10 {
			query := randomRows(1, dim, uint64(100+q))
			var rows [][]float32
			for row := range slices.Chunk(data, dim) {
				rows = append(rows, row)
			}
			want := within(rows, query, 6, n, func(l uint64) bool { return l%100 == 7 })
			got, err := x.Search(query, 0, search.Options{Filter: few, Stop: search.Radius(6, 1, n)})
			must(t, err)
			if len(got) != len(want) {
				t.Fatalf("%d of %d within the radius", len(got), len(want))
			}
			for i := range got {
				if got[i].Label != want[i].Label {
					t.Errorf("result %d is %v, want %v", i, got[i], want[i])
				}
			}
		}
	}
}
