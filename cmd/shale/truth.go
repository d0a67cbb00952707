package main

import (
	"context"
	"fmt"

	"github.com/shale-search/shale/eval"
	"github.com/shale-search/shale/internal/datafile"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/vector"
)

// readTruth reads the true neighbours of a number of queries.
func readTruth(ctx context.Context, path string, queries int) (*truthFile, error) {
	neighbors, err := within(ctx, func() ([][]int64, error) { return datafile.ReadNeighbors(path) })
	if err != nil {
		return nil, err
	}
	if len(neighbors) != queries {
		return nil, fmt.Errorf("%s holds the neighbours of %d queries, there are %d", path, len(neighbors), queries)
	}
	t := &truthFile{path, 0, &eval.Truth{Labels: make([][]uint64, queries)}}
	for q, ids := range neighbors {
		t.k = len(ids)
		for _, id := range ids {
			if id >= 0 { // −1 fills up the rows of those with fewer
				t.Labels[q] = append(t.Labels[q], uint64(id))
			}
		}
	}
	return t, nil
}

// truthFile is the true neighbours of queries, k of each.
type truthFile struct {
	path string
	k    int
	*eval.Truth
}

// covers refuses a truth that knows fewer than k neighbours of a query, or than the index
// has rows where these are fewer.
func (t *truthFile) covers(k, rows int) error {
	if t.k < min(k, rows) {
		return fmt.Errorf("%s holds %s of each query, and recall@%d needs %d: "+
			"give -k %d, or make it again with \"shale groundtruth -k %d\"",
			t.path, many(t.k, "neighbour"), k, k, t.k, k)
	}
	for q, labels := range t.Labels {
		if len(labels) < min(k, rows) {
			return fmt.Errorf("%s: query %d has %s, and recall@%d needs %d: give -k %d", t.path, q,
				many(len(labels), "true neighbour"), k, k, len(labels))
		}
	}
	return nil
}

// measuringLoad is what measuring searches takes: queries as they were read and as float32, and their true neighbours.
func measuringLoad(queries vector.Matrix, k, ef, threads int) shard.SearchLoad {
	each := int64(queries.Dim()*(queries.Type().Size()+2*4)) + 40*int64(k) + 128
	return shard.SearchLoad{K: k, Ef: ef, Threads: threads, Bytes: each * int64(queries.Rows())}
}
