package shale

import (
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/inside"
)

func init() {
	inside.GraphOf = func(index any) *hnsw.Index { return index.(*Index).graph() }
	inside.ConfigOf = func(index any) hnsw.Config { return index.(*Index).engine.Config() }
	inside.IndexOf = func(graph *hnsw.Index) any { return &Index{engine: oneGraph{graph}} }
}
