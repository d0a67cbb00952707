package collection

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/wordnet"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// BenchmarkSearch searches for 10 documents of 10,000 dictionary entries: in an index, and in a collection of the same
// rows, whose documents have numbers for IDs and no payload.
func BenchmarkSearch(b *testing.B) {
	rows, err := wordnet.Vectors()
	if err != nil {
		b.Fatal(err)
	}
	queries := make([][]float32, 1000)
	for i := range queries {
		queries[i] = make([]float32, rows.Dim())
		rows.Decode(i*rows.Rows()/len(queries), queries[i])
	}
	b.Run("index", func(b *testing.B) { benchmarkIndex(b, rows, queries) })
	b.Run("collection", func(b *testing.B) { benchmarkCollection(b, rows, queries) })
}

func benchmarkIndex(b *testing.B, rows vector.Matrix, queries [][]float32) {
	ctx := context.Background()
	path := filepath.Join(b.TempDir(), "index")
	x, err := shale.Build(ctx, rows, shale.BuildOptions{Metric: vector.Cosine, Path: path})
	if err != nil {
		b.Fatal(err)
	}
	if err := x.Close(); err != nil {
		b.Fatal(err)
	}
	if x, err = shale.Open(ctx, path, shale.OpenOptions{Mapped: true}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = x.Close() })
	var found []search.Neighbor
	for i := 0; b.Loop(); i++ {
		if found, err = x.SearchInto(found[:0], queries[i%len(queries)], 10, search.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkCollection(b *testing.B, rows vector.Matrix, queries [][]float32) {
	ctx := context.Background()
	c := created(b, Schema{Vectors: []Vector{{Dim: rows.Dim(), Metric: vector.Cosine}}}, Options{})
	batch := make([]Document, rows.Rows())
	for i := range batch {
		row := make([]float32, rows.Dim())
		rows.Decode(i, row)
		batch[i] = Document{ID: NumberID(uint64(i)), Vector: row}
	}
	mustUpsert(b, c, batch...)
	if err := c.Seal(ctx); err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		if _, err := c.Query(ctx, Query{Near: queries[i%len(queries) : i%len(queries)+1]}); err != nil {
			b.Fatal(err)
		}
	}
}
