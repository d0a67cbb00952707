package hnsw

import (
	"context"
	"testing"

	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

func benchmarkSearch(b *testing.B, o search.Options) {
	x, rows := realData(b)
	queries := make([][]float32, 256)
	for i := range queries {
		queries[i] = decoded(rows, i*rows.Rows()/len(queries))
	}
	dst := make([]search.Neighbor, 0, 10)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := x.SearchInto(dst, queries[i%len(queries)], 10, o); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSearchEf50(b *testing.B)  { benchmarkSearch(b, search.Options{Ef: 50}) }
func BenchmarkSearchEf100(b *testing.B) { benchmarkSearch(b, search.Options{Ef: 100}) }

func BenchmarkSearchHalfFiltered(b *testing.B) {
	benchmarkSearch(b, search.Options{Filter: search.FilterFunc(func(label uint64) bool { return label%2 == 0 })})
}

func BenchmarkSearchHundredthFiltered(b *testing.B) {
	benchmarkSearch(b, search.Options{Filter: search.FilterFunc(func(label uint64) bool { return label%100 == 0 })})
}

func BenchmarkSearchBatch(b *testing.B) {
	x, rows := realData(b)
	queries := rows.Slice(0, 500)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := x.SearchBatch(context.Background(), queries, 10, search.Options{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(queries.Rows()*b.N)/b.Elapsed().Seconds(), "queries/s")
}

func BenchmarkSearchFlat(b *testing.B) {
	_, rows := realData(b)
	x, err := realFlat()
	must(b, err)
	q, dst := decoded(rows, 1), make([]search.Neighbor, 0, 10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := x.SearchInto(dst, q, 10, search.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	_, rows := realData(b)
	x, err := New(Config{Dim: rows.Dim(), Capacity: rows.Rows()})
	must(b, err)
	defer x.Close()
	v := make([]float32, rows.Dim())
	for i := 0; b.Loop(); i++ {
		rows.Decode(i%rows.Rows(), v)
		must(b, x.Add(uint64(i), v, AddOptions{}))
	}
}

// benchmarkLinks searches an external graph.
func benchmarkLinks(b *testing.B, packed bool) {
	_, rows := realData(b)
	unit := make([]float32, 0, rows.Rows()*rows.Dim())
	for i := range rows.Rows() {
		row := decoded(rows, i)
		vector.Normalize(row)
		unit = append(unit, row...)
	}
	x := external(b, Config{M: 8, EfConstruction: 100}, matrix(b, unit, rows.Dim()))
	r := &x.Reader
	if packed {
		f, err := x.Freeze()
		must(b, err)
		defer f.Close()
		r = &f.Reader
	}
	dst := make([]search.Neighbor, 0, 10)
	for i := 0; b.Loop(); i++ {
		at := i % rows.Rows() * rows.Dim()
		if _, err := r.SearchInto(dst, unit[at:at+rows.Dim()], 10, search.Options{Ef: 50}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLinksPlain(b *testing.B)  { benchmarkLinks(b, false) }
func BenchmarkLinksPacked(b *testing.B) { benchmarkLinks(b, true) }
