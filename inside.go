package shale

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/quant/pq"
	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

func init() {
	inside.Of = func(index any) inside.Index {
		x := index.(*Index)
		return insider{x.engine, x}
	}
	inside.Hold = func(options any, lock *location.Lock) {
		switch o := options.(type) {
		case *BuildOptions:
			o.held = lock
		case *SaveOptions:
			o.held = lock
		}
	}
	inside.Expect = func(options any, load shard.SearchLoad) { options.(*OpenOptions).load = load }
	inside.RowsApart = func(options any) { options.(*OpenOptions).rowsApart = true }
	inside.BuildTime = func(plan any) time.Duration { return plan.(*Plan).spent }
	inside.IndexOf = func(graph *hnsw.Index) any { return &Index{engine: oneGraph{graph}} }
}

// insider is an index as other packages of the module see it.
type insider struct {
	engine
	index *Index
}

func (i insider) Graph() *hnsw.Index { return i.engine.graph() }

func (i insider) Effort() search.Effort { return i.index.effort() }

func (i insider) SearchBatchInto(ctx context.Context, queries vector.Matrix, out *search.Results,
	o search.Options) error {
	request.SetDefaults(&o, i.index.effort())
	return i.engine.SearchBatchInto(ctx, queries, out, o)
}

func (i insider) SearchWithin(dst []search.Neighbor, query []float32, k int, o search.Options, within float32,
) ([]search.Neighbor, error) {
	shards, ok := i.engine.(interface {
		SearchWithin([]search.Neighbor, []float32, int, search.Options, float32) ([]search.Neighbor, error)
	})
	if !ok {
		return i.index.SearchInto(dst, query, k, o)
	}
	request.SetDefaults(&o, i.index.effort())
	return shards.SearchWithin(dst, query, k, o, within)
}

func (i insider) LabelsInOrder() ([]uint64, error) {
	if shards, ok := i.engine.(interface{ LabelsInOrder() ([]uint64, error) }); ok {
		return shards.LabelsInOrder()
	}
	return i.engine.Findable() // those of one graph are in order
}

func (i insider) ReadAhead() error {
	if mapped, ok := i.engine.(interface{ ReadAhead() error }); ok {
		return mapped.ReadAhead()
	}
	return nil
}

func (i insider) Pin(room int64) (bytes int64, err error) {
	if mapped, ok := i.engine.(interface{ Pin(int64) (int64, error) }); ok {
		return mapped.Pin(room)
	}
	return 0, nil
}

func (i insider) AttachPQ(q *pq.Quantizer, codes []byte, o hnsw.AttachPQOptions) error {
	if err := i.engine.AttachPQ(q, codes, o); err != nil {
		return fmt.Errorf("attach codes: %w", err)
	}
	return nil
}

func (i insider) VectorFile() string {
	x := i.index
	if x.vectors == "" || filepath.IsAbs(x.vectors) {
		return x.vectors
	}
	return filepath.Join(x.home, x.vectors)
}
