package main

import (
	"context"
	"fmt"

	"github.com/shale-search/shale/dataset"
	"github.com/shale-search/shale/eval"
)

// readTruth reads the true neighbours of a number of queries, k of each, or as many as the index has rows.
func readTruth(ctx context.Context, path string, queries, k, rows int) (*eval.Truth, error) {
	n, err := within(ctx, func() (dataset.Neighbors, error) { return dataset.ReadNeighbors(path) })
	if err != nil {
		return nil, err
	}
	if n.K < min(k, rows) {
		return nil, fmt.Errorf("%s holds %s of each query, and recall@%d needs %d: give -k %d, or make it again with \"shale groundtruth -k %d\"",
			path, many(n.K, "neighbour"), k, k, n.K, k)
	}
	if n.Rows() != queries {
		return nil, fmt.Errorf("%s holds the neighbours of %d queries, there are %d", path, n.Rows(), queries)
	}
	t := &eval.Truth{Labels: make([][]uint64, queries)}
	for q := range queries {
		for _, id := range n.Row(q) {
			if id >= 0 { // −1 fills up the rows of those with fewer
				t.Labels[q] = append(t.Labels[q], uint64(id))
			}
		}
	}
	if err := t.Covers(k, rows); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}
