package shale

import (
	"fmt"
	"path/filepath"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/internal/quant/pq"
)

func init() {
	inside.Of = func(index any) inside.Index {
		x := index.(*Index)
		return insider{x.engine, x}
	}
	inside.IndexOf = func(graph *hnsw.Index) any { return &Index{engine: oneGraph{graph}} }
}

// insider is an index as other packages of the module see it.
type insider struct {
	engine
	index *Index
}

func (i insider) Graph() *hnsw.Index { return i.index.graph() }

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
