//go:build !race

package hnsw

import (
	"context"
	"testing"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/search"
)

// TestSearchesDoNotAllocate is left out under the race detector, which makes sync.Pool forget at random.
func TestSearchesDoNotAllocate(t *testing.T) {
	const n, dim = 3000, 8
	rows := matrix(t, randomRows(n, dim, 1), dim)
	set := roaring64.New()
	set.AddRange(100, 110)
	options := map[string]search.Options{
		"plain":         {},
		"large ef":      {Ef: 500},
		"filter walked": {Filter: search.FilterFunc(func(label uint64) bool { return label%4 != 0 })},
		"filter scan":   {Filter: search.FilterBitmap(set)},
		"epsilon":       {Stop: search.Radius(3, 1, 50)},
	}
	for _, c := range []Config{
		{Storage: rowtype.ScaledInt8}, {Storage: rowtype.NoRows, Codes: Codes{Bits: 8}},
		{Storage: rowtype.ScaledInt8, Codes: Codes{Bits: 2}},
	} {
		x, dst, q := build(t, c, rows), make([]search.Neighbor, 0, 200), decoded(rows, 5)
		for name, o := range options {
			allocs := testing.AllocsPerRun(50, func() {
				if _, err := x.SearchInto(dst, q, 10, o); err != nil {
					t.Fatal(err)
				}
			})
			if allocs != 0 {
				t.Errorf("%s rows, %s: %v allocations a search", c.Storage, name, allocs)
			}
		}
	}
	eachEngine(t, Config{Dim: dim}, func(t *testing.T, x engine) {
		must(t, x.AddBatch(context.Background(), rows, nil, BatchOptions{}))
		dst, q := make([]search.Neighbor, 0, 200), decoded(rows, 5)
		check := func(t *testing.T) {
			for name, o := range options {
				allocs := testing.AllocsPerRun(50, func() {
					if _, err := x.SearchInto(dst, q, 10, o); err != nil {
						t.Fatal(err)
					}
				})
				if allocs != 0 {
					t.Errorf("%s: %v allocations a search", name, allocs)
				}
			}
		}
		check(t)
		must(t, x.Delete(7))
		t.Run("with deletions", check)
		t.Run("batch", func(t *testing.T) {
			queries := rows.Slice(0, 64)
			allocs := testing.AllocsPerRun(20, func() {
				if _, err := x.SearchBatch(context.Background(), queries, 10, search.Options{Threads: 1}); err != nil {
					t.Fatal(err)
				}
			})
			if allocs > 5 { // the results and the batch itself
				t.Errorf("%v allocations a batch", allocs)
			}
		})
	})
}
