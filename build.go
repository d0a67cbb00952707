package shale

import (
	"context"
	"fmt"

	"github.com/shale-search/shale/hnsw"
)

// Options says what an index is like and how to build it. The zero value of a field means its default.
type Options struct {
	Metric         Metric   // default L2
	Storage        Storage  // default Float32
	M              int      // links a new row gets a level: more find more and take more memory; default 16
	BaseLinks      int      // of those a new row gets on level 0, where there is room for 2·M: M … 2·M; default 1.5·M
	EfConstruction int      // rows looked at for a new row's links: more build a better graph, more slowly; default 200
	Seed           uint64   // of the random levels; same seed, rows and one thread give the same index; default 100
	Labels         []uint64 // of the rows built from, one each; default 0, 1, …
	Threads        int      // that build; default GOMAXPROCS
	Capacity       int      // rows to make room for at once, of an index that starts empty

	Progress func(done int) // told the number of rows added now and then, from one goroutine at a time
}

func (o Options) config(dim, rows int) hnsw.Config {
	return hnsw.Config{
		Dim: dim, Metric: o.Metric, Storage: o.Storage,
		M: o.M, BaseLinks: o.BaseLinks, EfConstruction: o.EfConstruction, Seed: o.Seed, Capacity: rows,
	}
}

// New makes an empty index of vectors of dim values.
func New(dim int, o Options) (*Index, error) {
	graph, err := hnsw.New(o.config(dim, o.Capacity))
	if err != nil {
		return nil, fmt.Errorf("new index: %w", err)
	}
	return &Index{graph: graph}, nil
}

// Build makes an index of rows, which are copied. It refuses NaN and infinity.
func Build(ctx context.Context, rows Matrix, o Options) (*Index, error) {
	graph, err := hnsw.New(o.config(rows.Dim(), rows.Rows()))
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	err = graph.AddBatch(ctx, rows, o.Labels, hnsw.BatchOptions{Threads: o.Threads, Progress: o.Progress})
	if err != nil {
		graph.Close()
		return nil, fmt.Errorf("build: %w", err)
	}
	return &Index{graph: graph}, nil
}
