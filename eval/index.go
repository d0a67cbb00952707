package eval

import (
	"context"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/exact"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/vector"
)

// IndexTruth finds the k rows of an index nearest to each query by comparing every row that isn't deleted. If the index
// keeps no rows, the vectors decoded from its codes take their place. Changes of the index wait meanwhile. If threads is 0
// it uses GOMAXPROCS threads.
func IndexTruth(ctx context.Context, x *shale.Index, queries shale.Matrix, k, threads int) (*Truth, error) {
	return exactly(queries, x.Metric(), k, threads, func(e *exact.Search) error {
		add := func(labels []uint64, rows shale.Matrix) error {
			return e.Add(ctx, rows, func(i int) (uint64, bool) { return labels[i], true })
		}
		if x.Graph() == nil {
			return x.Shards().EachVector(ctx, add)
		}
		return x.Graph().WithImage(func(*hnsw.Image) error { return x.Graph().EachVector(ctx, truthBlock, nil, add) })
	})
}

// truthBlock is the number of vectors that are decoded at a time.
const truthBlock = 1 << 14

// Measure sets t.Distances to the distances of the first k neighbours of each query as the index computes them, so that
// Hits can recognise ties at the k-th. The distances of a query end before the first neighbour that isn't in the index.
// An index of several shards, or one that keeps no rows, leaves t.Distances nil.
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
