package eval

import (
	"context"
	"fmt"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/exact"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// IndexTruth finds the k rows of an index nearest to each query by comparing every row that isn't deleted. If the index
// keeps no rows, the vectors decoded from its codes take their place. Changes of the index wait meanwhile. If threads
// is 0 it uses GOMAXPROCS threads.
func IndexTruth(ctx context.Context, x *shale.Index, queries vector.Matrix, k, threads int) (*Truth, error) {
	if x.Metric() == score.Custom {
		return searched(ctx, x, queries, k, threads)
	}
	return exactly(queries, x.Metric(), k, threads, func(e *exact.Search) error {
		add := func(labels []uint64, rows vector.Matrix) error {
			return e.Add(ctx, rows, func(i int) (uint64, bool) { return labels[i], true })
		}
		return x.EachVector(ctx, add)
	})
}

// searched finds the truth by exact searches of an index, which has the function that computes distances.
func searched(ctx context.Context, x *shale.Index, queries vector.Matrix, k, threads int) (*Truth, error) {
	found, err := x.SearchBatch(ctx, queries, k, search.Options{Exact: true, Threads: threads})
	if err != nil {
		return nil, fmt.Errorf("ground truth: %w", err)
	}
	t := &Truth{}
	for q, n := range found.Counts {
		from, to := q*found.K, q*found.K+n
		t.Labels = append(t.Labels, found.Labels[from:to])
		t.Distances = append(t.Distances, found.Distances[from:to])
	}
	return t, nil
}

// measured returns t with the distances of the first k neighbours of each query, so that hits can recognise ties at the
// k-th. Where t has none they are as the index computes them, and those of a query end before the first neighbour that
// isn't in the index. An index of several shards, or one that keeps no rows, gives none.
func (t *Truth) measured(x *shale.Index, queries vector.Matrix, k int) (*Truth, error) {
	if t.Distances != nil {
		return t, nil
	}
	labels := make([][]uint64, len(t.Labels))
	for q, all := range t.Labels {
		labels[q] = all[:min(k, len(all))]
	}
	distances, err := inside.Of(x).Distances(queries, labels)
	return &Truth{Labels: t.Labels, Distances: distances}, err
}
