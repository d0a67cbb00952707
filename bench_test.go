package shale_test

import (
	"context"
	"slices"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/wordnet"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// The benchmarks measure what users feel, on the embeddings of WordNet's glosses: the last ones are queries for the
// others.
const (
	benchQueries = 200
	benchK       = 10
)

// benchmark is the index that is measured, its rows, and queries.
type benchmark struct {
	index   *shale.Index
	rows    vector.Matrix
	queries [][]float32
}

func newBenchmark(b *testing.B) *benchmark {
	b.Helper()
	all, err := wordnet.Vectors()
	if err != nil {
		b.Fatal(err)
	}
	n := all.Rows() - benchQueries
	m := &benchmark{rows: all.Slice(0, n)}
	for i := range benchQueries {
		query := make([]float32, all.Dim())
		all.Decode(n+i, query)
		m.queries = append(m.queries, query)
	}
	if m.index, err = shale.Build(context.Background(), m.rows, shale.BuildOptions{Metric: vector.Cosine}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := m.index.Close(); err != nil {
			b.Error(err)
		}
	})
	return m
}

// search is the operation that is timed.
func (m *benchmark) search(b *testing.B, o search.Options) {
	b.Helper()
	b.ReportAllocs()
	var found []search.Neighbor
	for i := 0; b.Loop(); i++ {
		var err error
		if found, err = m.index.SearchInto(found[:0], m.queries[i%benchQueries], benchK, o); err != nil {
			b.Fatal(err)
		}
	}
}

// find gives the neighbours of every query.
func (m *benchmark) find(b *testing.B, o search.Options) (all [][]search.Neighbor) {
	b.Helper()
	for _, query := range m.queries {
		found, err := m.index.Search(query, benchK, o)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, found)
	}
	return all
}

// recall is the share of the true neighbours that were found.
func recall(found, truth [][]search.Neighbor) float64 {
	hits, all := 0, 0
	for i := range truth {
		all += len(truth[i])
		for _, t := range truth[i] {
			if slices.ContainsFunc(found[i], func(f search.Neighbor) bool { return f.Label == t.Label }) {
				hits++
			}
		}
	}
	return float64(hits) / float64(all)
}

// BenchmarkSearchRecall95 searches with as little effort as finds 95 % of the true neighbours, which are those of a
// walk that holds every row.
func BenchmarkSearchRecall95(b *testing.B) {
	m := newBenchmark(b)
	truth := m.find(b, search.Options{Ef: m.index.Len()})
	o, share := search.Options{}, 0.0
	for o.Ef = benchK; share < 0.95 && o.Ef <= 400; o.Ef += 4 {
		share = recall(m.find(b, o), truth)
	}
	o.Ef -= 4 // of the last try
	m.search(b, o)
	b.ReportMetric(share, "recall")
	b.ReportMetric(float64(o.Ef), "ef")
}

// BenchmarkSearchFiltered searches among a tenth of the rows.
func BenchmarkSearchFiltered(b *testing.B) {
	m := newBenchmark(b)
	m.search(b, search.Options{Ef: 50, Filter: search.FilterFunc(func(label uint64) bool { return label%10 == 3 })})
}

// BenchmarkBuild builds an index in memory, on all processors.
func BenchmarkBuild(b *testing.B) {
	all, err := wordnet.Vectors()
	if err != nil {
		b.Fatal(err)
	}
	rows := all.Slice(0, 2000)
	for b.Loop() {
		x, err := shale.Build(context.Background(), rows, shale.BuildOptions{Metric: vector.Cosine})
		if err == nil {
			err = x.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows.Rows()*b.N)/b.Elapsed().Seconds(), "rows/s")
}
