package eval_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/eval"
	"github.com/shale-search/shale/internal/testrows"
	"github.com/shale-search/shale/search"
)

// TestDistanceOfTheProgramsOwn measures an index whose distances a function computes.
func TestDistanceOfTheProgramsOwn(t *testing.T) {
	const k = 7
	rows, queries := testrows.WholeNumbers(t, 600, 8, 20, 1), testrows.WholeNumbers(t, 30, 8, 20, 2)
	weighted := func(a, b []float32) (d float32) { // integers: exact in any order
		for i := range a {
			d += float32(i+1) * (a[i] - b[i]) * (a[i] - b[i])
		}
		return d
	}
	x, err := shale.Build(ctx, rows, shale.BuildOptions{Distance: weighted, DistanceName: "weighted", Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if err := x.Delete(0, 5); err != nil {
		t.Fatal(err)
	}
	truth, err := eval.IndexTruth(ctx, x, queries, k, 2)
	if err != nil {
		t.Fatal(err)
	}
	for q := range queries.Rows() {
		query := row(queries, q)
		var all []search.Neighbor
		for i := range rows.Rows() {
			if i != 0 && i != 5 {
				all = append(all, search.Neighbor{Label: uint64(i), Distance: weighted(query, row(rows, i))})
			}
		}
		slices.SortFunc(all, byDistance)
		for i, n := range all[:k] {
			if truth.Labels[q][i] != n.Label || truth.Distances[q][i] != n.Distance {
				t.Fatalf("query %d, neighbour %d: %d at %v, want %v", q, i, truth.Labels[q][i], truth.Distances[q][i], n)
			}
		}
	}
	bare := &eval.Truth{Labels: truth.Labels}
	points, err := eval.Sweep(ctx, x, queries, bare, []int{600}, eval.Options{K: k})
	if err != nil || points[0].Recall != 1 {
		t.Fatalf("measured %+v, %v", points, err)
	}
	if p, err := eval.Tune(ctx, x, queries, bare, 0.99, 600, eval.Options{K: k}); err != nil || p.Recall < 0.99 {
		t.Fatalf("tuned to %+v, %v", p, err)
	}
	_, err = eval.GroundTruth(ctx, rows, queries, x.Metric(), k, 1)
	if err == nil || !strings.Contains(err.Error(), "use IndexTruth") {
		t.Fatalf("rows were compared without the function: %v", err)
	}
}
