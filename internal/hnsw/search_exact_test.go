package hnsw

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

func manhattan(a, b []float32) float32 {
	var sum float64
	for i := range a {
		sum += math.Abs(float64(a[i] - b[i]))
	}
	return float32(sum)
}

// metricCases are the metrics with the tolerance that their rounding needs; 0 demands equal labels and distances.
var metricCases = []struct {
	name      string
	config    Config
	tolerance float64
}{
	{"l2", Config{Metric: vector.L2}, 0},
	{"ip", Config{Metric: vector.IP}, 0},
	{"cosine", Config{Metric: vector.Cosine}, 1e-5},
	{"custom", Config{Custom: manhattan}, 0},
	{"l2 fp16", Config{Metric: vector.L2, Storage: vector.Float16}, 0},
	{"ip fp16", Config{Metric: vector.IP, Storage: vector.Float16}, 0},
	{"cosine fp16", Config{Metric: vector.Cosine, Storage: vector.Float16}, 2e-3},
	{"custom fp16", Config{Custom: manhattan, Storage: vector.Float16}, 0},
}

// scattered are n labels in no order.
func scattered(n int) []uint64 {
	labels := make([]uint64, n)
	for i := range labels {
		labels[i] = uint64(i+1) * 0x9e3779b97f4a7c15
	}
	return labels
}

// TestWholeIndexIsExact: with ef = n the walk sees every element, and k = n asks for all of them.
func TestWholeIndexIsExact(t *testing.T) {
	for _, m := range metricCases {
		for _, dim := range []int{1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 100, 255, 300} {
			n := 120
			if dim == 1 {
				n = 17 // all linked to all: a direction or a product of one dimension doesn't make a graph to walk
			}
			labels := scattered(n)
			rows := matrix(t, integerRows(n, dim, uint64(dim)), dim)
			queries := matrix(t, integerRows(5, dim, 99), dim)
			c := m.config
			c.Dim = dim
			t.Run(fmt.Sprintf("%s/%d", m.name, dim), func(t *testing.T) {
				eachEngine(t, c, func(t *testing.T, x engine) {
					must(t, x.AddBatch(context.Background(), rows, labels, BatchOptions{Threads: 1})) // the same graph every time
					for i := range queries.Rows() {
						q := decoded(queries, i)
						got, err := x.Search(q, n, search.Options{Ef: n})
						must(t, err)
						compareTo(t, got, nearest(c, rows, labels, nil, q, n), m.tolerance)
					}
				})
			})
		}
	}
}

func compareTo(t *testing.T, got, want []search.Neighbor, tolerance float64) {
	t.Helper()
	if tolerance == 0 {
		sameResults(t, got, want)
	} else {
		sameDistances(t, got, want, tolerance)
	}
}

// TestExactSearchCutsTiesByLabel: whole numbers in one dimension tie everywhere, also across the k-th place.
func TestExactSearchCutsTiesByLabel(t *testing.T) {
	const n = 2000
	rows, labels := matrix(t, integerRows(n, 1, 5), 1), scattered(n)
	allow := func(label uint64) bool { return label%4 == 0 }
	filter := search.FilterFunc(allow)
	eachEngine(t, Config{Dim: 1}, func(t *testing.T, x engine) {
		must(t, x.AddBatch(context.Background(), rows, labels, BatchOptions{}))
		for _, k := range []int{1, 3, 40, 41, 42, 499} {
			for q := float32(-9); q <= 9; q += 4.5 {
				var stats search.Stats
				got, err := x.Search([]float32{q}, k, search.Options{Filter: filter, Ef: n / 12, Stats: &stats})
				must(t, err)
				if !stats.Exact {
					t.Fatal("the search walked")
				}
				sameResults(t, got, nearest(Config{}, rows, labels, allow, []float32{q}, k))
			}
		}
	})
}
