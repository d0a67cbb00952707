package shale

import (
	"context"
	"errors"
	"fmt"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/vector"
)

// Compact returns a new index in memory of the vectors that aren't deleted, built on the given number of threads; 0
// means GOMAXPROCS. This index stays as it is. An index of several shards, a live file and one that keeps no vectors
// can't be compacted.
func (x *Index) Compact(ctx context.Context, threads int) (*Index, error) {
	if x.live != "" {
		return nil, errors.New("a live file can't be compacted in place: its deleted vectors' places are used again")
	}
	graph, err := x.engine.compact(ctx, threads)
	if err != nil {
		return nil, fmt.Errorf("compact: %w", err)
	}
	n := &Index{engine: oneGraph{graph}}
	n.tuned.Store(x.tuned.Load())
	return n, nil
}

// compacted is a new index of the rows of another that aren't deleted.
func compacted(ctx context.Context, old *hnsw.Index, threads int) (*hnsw.Index, error) {
	if old.Config().Storage == rowtype.NoRows {
		return nil, errors.New("an index that keeps no vectors can't be compacted: there is nothing to build another of")
	}
	labels, err := old.Findable()
	if err != nil {
		return nil, err
	}
	c := old.Config()
	c.Capacity = len(labels)
	values := make([]float32, len(labels)*c.Dim)
	for i, label := range labels {
		if err := old.Vector(label, values[i*c.Dim:(i+1)*c.Dim]); err != nil {
			return nil, err
		}
	}
	rows, err := vector.Of(values, c.Dim)
	if err != nil {
		return nil, err
	}
	x, err := hnsw.New(c)
	if err != nil {
		return nil, err
	}
	err = x.AddBatch(ctx, rows, labels, hnsw.BatchOptions{Threads: threads})
	if err == nil {
		err = x.ContinueLabels(old)
	}
	if err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}
