package hnsw

import (
	"slices"
	"testing"

	"github.com/shale-search/shale/search"
)

// withPoints runs test on each kind of index over a few rows of whole numbers.
func withPoints(t *testing.T, test func(t *testing.T, x engine, rows [][]float32)) {
	const n, dim = 500, 4
	data := integerRows(n, dim, 11)
	var rows [][]float32
	for row := range slices.Chunk(data, dim) {
		rows = append(rows, row)
	}
	eachEngine(t, Config{Dim: dim}, func(t *testing.T, x engine) {
		for i, row := range rows {
			must(t, x.Add(uint64(i), row, AddOptions{}))
		}
		test(t, x, rows)
	})
}

// within is the rows no farther than epsilon, nearest first, at most most.
func within(rows [][]float32, query []float32, epsilon float32, most int, allow func(uint64) bool) []search.Neighbor {
	var all []search.Neighbor
	for i, row := range rows {
		if d := squared(row, query); d <= epsilon && (allow == nil || allow(uint64(i))) {
			all = append(all, search.Neighbor{Label: uint64(i), Distance: d})
		}
	}
	sortNeighbors(all)
	return all[:min(most, len(all))]
}

func TestEpsilon(t *testing.T) {
	third := func(label uint64) bool { return label%3 == 0 }
	withPoints(t, func(t *testing.T, x engine, rows [][]float32) {
		for _, query := range [][]float32{{0, 0, 0, 0}, {8, 8, 8, 8}, {20, 0, 0, 0}, rows[17]} {
			for _, epsilon := range []float32{-1, 0, 20, 60, 200, 1e9} {
				for _, allow := range []func(uint64) bool{nil, third} {
					o := search.Options{Stop: search.Radius(epsilon, 300, 1000)}
					if allow != nil {
						o.Filter = search.FilterFunc(allow)
					}
					got, err := x.Search(query, 0, o)
					must(t, err)
					sameResults(t, got, within(rows, query, epsilon, 1000, allow))
				}
			}
		}
	})
}

// TestEpsilonKeepsTheNearest: with a bound on the number of results they are the nearest ones, as far as a walk whose
// pool is no larger finds them.
func TestEpsilonKeepsTheNearest(t *testing.T) {
	withPoints(t, func(t *testing.T, x engine, rows [][]float32) {
		stop := search.Radius(200, 1, 25)
		found, all := 0, 0
		for i := range 20 { // one condition serves one search after another
			got, err := x.Search(rows[i], 0, search.Options{Stop: stop})
			must(t, err)
			want := within(rows, rows[i], 200, 25, nil)
			if len(got) != len(want) {
				t.Fatalf("%d results, want %d", len(got), len(want))
			}
			farthest := want[len(want)-1].Distance
			for _, n := range got {
				if n.Distance <= farthest {
					found++
				}
			}
			all += len(want)
		}
		if found*100 < all*99 {
			t.Errorf("%d of the %d nearest", found, all)
		}
	})
}

// nearestDocuments is the elements of the docs documents that have the nearest elements, among the ef nearest ones.
func nearestDocuments(rows [][]float32, query []float32, document func(uint64) uint64, docs int) []search.Neighbor {
	chosen := map[uint64]bool{}
	var out []search.Neighbor
	for _, n := range within(rows, query, posInf, len(rows), nil) {
		if d := document(n.Label); chosen[d] || len(chosen) < docs {
			chosen[d] = true
			out = append(out, n)
		}
	}
	return out
}

func TestMultiVector(t *testing.T) {
	const documents = 100
	document := func(label uint64) uint64 { return label % documents }
	withPoints(t, func(t *testing.T, x engine, rows [][]float32) {
		for _, query := range [][]float32{{0, 0, 0, 0}, {8, 8, 8, 8}, rows[17]} {
			for _, docs := range []int{1, 3, 10, documents} {
				// ef above the number of documents: nothing is dropped, so all elements of the nearest ones come back
				got, err := x.Search(query, 0, search.Options{Stop: search.MultiVector(document, docs, documents+1)})
				must(t, err)
				sameResults(t, got, nearestDocuments(rows, query, document, docs))
			}
		}
	})
}

// TestMultiVectorDropsFarElements: ef documents are held; which ones is told by the elements nearest to the query.
func TestMultiVectorDropsFarElements(t *testing.T) {
	const documents, docs = 100, 5
	document := func(label uint64) uint64 { return label % documents }
	withPoints(t, func(t *testing.T, x engine, rows [][]float32) {
		stop := search.MultiVector(document, docs, 2*docs)
		for i := range 20 {
			got, err := x.Search(rows[i], 0, search.Options{Stop: stop})
			must(t, err)
			held := map[uint64]bool{}
			for _, n := range got {
				held[document(n.Label)] = true
			}
			if len(held) != docs {
				t.Fatalf("%d documents, want %d", len(held), docs)
			}
			want := nearestDocuments(rows, rows[i], document, docs)
			if got[0] != want[0] {
				t.Fatalf("nearest is %v, want %v", got[0], want[0])
			}
			for _, n := range got {
				if !slices.Contains(want, n) {
					t.Fatalf("%v is of none of the nearest documents", n)
				}
			}
		}
	})
}
