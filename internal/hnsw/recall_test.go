package hnsw

import (
	"context"
	"testing"

	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// searchFunc is an index's Search.
type searchFunc func(query []float32, k int, o search.Options) ([]search.Neighbor, error)

// recall is the share of the k nearest of each query, as truth tells them, that find finds.
func recall(t *testing.T, find searchFunc, queries vector.Matrix, k int, o search.Options,
	truth func(row int) []search.Neighbor) float64 {
	t.Helper()
	hit, want := 0, 0
	for i := range queries.Rows() {
		expected := truth(i)
		found, err := find(decoded(queries, i), k, o)
		must(t, err)
		hit += hits(found, expected)
		want += len(expected)
	}
	return float64(hit) / float64(max(want, 1))
}

// flatTruth is the allowed k nearest among the real data.
func flatTruth(t *testing.T, queries vector.Matrix, k int, allow func(uint64) bool) func(row int) []search.Neighbor {
	t.Helper()
	x, err := realFlat()
	must(t, err)
	var o search.Options
	if allow != nil {
		o.Filter = search.FilterFunc(allow)
	}
	all := make([][]search.Neighbor, queries.Rows())
	for i := range all {
		all[i], err = x.Search(decoded(queries, i), k, o)
		must(t, err)
	}
	return func(row int) []search.Neighbor { return all[row] }
}

func TestRecall(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	const n, dim, k = 3000, 24, 10
	clustered := clusteredRows(n+50, dim, 20, 1)
	data := map[string][2]vector.Matrix{
		"random":    {matrix(t, randomRows(n, dim, 1), dim), matrix(t, randomRows(50, dim, 2), dim)},
		"clustered": {matrix(t, clustered[:n*dim], dim), matrix(t, clustered[n*dim:], dim)},
	}
	for name, d := range data {
		for _, m := range metricCases {
			t.Run(name+"/"+m.name, func(t *testing.T) {
				c := m.config
				c.Dim, c.M, c.EfConstruction = dim, 12, 100
				x := build(t, c, d[0])
				got := recall(t, x.Search, d[1], k, search.Options{}, func(row int) []search.Neighbor {
					return nearest(c, d[0], nil, nil, decoded(d[1], row), k)
				})
				t.Logf("recall@%d %.4f", k, got)
				if got < 0.95 {
					t.Errorf("recall@%d is %.4f", k, got)
				}
			})
		}
	}
}

func TestRecallOnRealData(t *testing.T) {
	t.Parallel()
	x, rows := realData(t)
	queries := rows.Slice(rows.Rows()-100, rows.Rows())
	truth := flatTruth(t, queries, 10, nil)
	f, err := x.Freeze()
	must(t, err)
	defer f.Close()
	for _, s := range []struct {
		ef   int
		want float64
	}{{10, 0.94}, {50, 0.985}, {100, 0.99}, {400, 0.998}} {
		growing := recall(t, x.Search, queries, 10, search.Options{Ef: s.ef}, truth)
		frozen := recall(t, f.Search, queries, 10, search.Options{Ef: s.ef}, truth)
		t.Logf("ef %d: recall@10 %.4f, frozen %.4f", s.ef, growing, frozen)
		if growing < s.want || frozen < s.want {
			t.Errorf("ef %d: recall@10 is %.4f, frozen %.4f, want %.3f", s.ef, growing, frozen, s.want)
		}
	}
}

// TestFlatIsExactOnRealData also under fp16 storage, which the data is in.
func TestFlatIsExactOnRealData(t *testing.T) {
	rows, err := wordnet()
	must(t, err)
	for _, storage := range []vector.Type{vector.Float32, vector.Float16} {
		c := Config{Dim: rows.Dim(), Metric: vector.Cosine, Storage: storage}
		x, err := NewFlat(c)
		must(t, err)
		must(t, x.AddBatch(context.Background(), rows, nil, BatchOptions{}))
		for i := range 10 {
			q := decoded(rows, i)
			got, err := x.Search(q, 10, search.Options{})
			must(t, err)
			sameDistances(t, got, nearest(c, rows, nil, nil, q, 10), 1e-3)
			if got[0].Label != uint64(i) {
				t.Fatalf("row %d finds %d first", i, got[0].Label)
			}
		}
		must(t, x.Close())
	}
}

// TestChurn: after every vector has been replaced several times over, the graph still leads everywhere.
func TestChurn(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	const n, dim = 1000, mixDim
	x := build(t, Config{ReplaceDelete: true}, matrix(t, randomRows(n, dim, 1), dim))
	for round := range 6 {
		rows := matrix(t, randomRows(n, dim, uint64(10+round)), dim)
		for i := range n {
			label := uint64(i)
			if round%2 == 1 { // by way of deletion and replacement
				must(t, x.Delete(label))
				if i%3 == 0 {
					must(t, x.Add(label, decoded(rows, i), AddOptions{ReplaceDeleted: true}))
					continue
				}
			}
			must(t, x.Add(label, decoded(rows, i), AddOptions{ReplaceDeleted: true}))
		}
	}
	soundBooks(t, x)
	reachable, err := x.Reachable()
	must(t, err)
	share := foundByOwnVector(t, x, mixError{})
	t.Logf("%d of %d reachable, %.4f found by their own vector", reachable, x.Len(), share)
	if share < 0.99 {
		t.Errorf("only %.4f of the labels are found by their own vector", share)
	}
}
