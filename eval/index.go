package eval

import (
	"context"
	"fmt"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/vector"
)

// IndexTruth finds the k nearest of the index's own rows to each query, those deleted left out; where it keeps no rows,
// of what its codes stand for. Changes of the index wait meanwhile. threads of 0 means GOMAXPROCS.
func IndexTruth(ctx context.Context, x *shale.Index, queries shale.Matrix, k, threads int) (*Truth, error) {
	e, err := NewExact(queries, x.Metric(), k, threads)
	if err != nil {
		return nil, err
	}
	add := func(labels []uint64, rows shale.Matrix) error {
		return e.Add(ctx, rows, func(i int) (uint64, bool) { return labels[i], true })
	}
	if x.Graph() == nil {
		err = x.Shards().EachVector(ctx, add)
	} else {
		err = x.Graph().WithImage(func(*hnsw.Image) error { return x.Graph().EachVector(ctx, truthBlock, nil, add) })
	}
	if err != nil {
		return nil, fmt.Errorf("ground truth: %w", err)
	}
	return e.Truth(), nil
}

// truthBlock is how many vectors are decoded at a time.
const truthBlock = 1 << 14

// Measure fills in the distances of the first k neighbours of each query as the index computes them, so that ties at the
// k-th are known. Neighbours from one that the index doesn't hold on keep none, nor do those of an index that keeps no
// rows: estimates tie by chance. Those of an index of several shards have none either.
func (t *Truth) Measure(x *shale.Index, queries shale.Matrix, k int) error {
	if err := t.checkFor(queries.Rows()); err != nil {
		return err
	}
	if x.Graph() == nil {
		t.Distances = nil
		return nil
	}
	wanted := map[uint64]uint32{}
	for _, labels := range t.Labels {
		for _, l := range labels[:min(k, len(labels))] {
			wanted[l] = 0
		}
	}
	return x.Graph().WithImage(func(m *hnsw.Image) error {
		if m.Rows.Type() == vector.NoRows {
			t.Distances = nil
			return nil
		}
		for id, l := range m.Labels {
			if _, ok := wanted[l]; ok {
				wanted[l] = uint32(id) + 1
			}
		}
		s, err := vector.NewRowScorer(m.Rows, m.Config.Metric, m.Config.Custom)
		if err != nil {
			return err
		}
		t.Distances = make([][]float32, len(t.Labels))
		for q, labels := range t.Labels {
			var ids []uint32
			for _, l := range labels[:min(k, len(labels))] {
				if wanted[l] == 0 {
					break
				}
				ids = append(ids, wanted[l]-1)
			}
			queries.Decode(q, s.Query())
			if m.Config.Metric == vector.Cosine {
				vector.Normalize(s.Query())
			}
			s.BindOwn()
			t.Distances[q] = make([]float32, len(ids))
			s.Score(ids, t.Distances[q])
		}
		return nil
	})
}
