package shale

import (
	"context"
	"errors"
	"fmt"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/vector"
)

// New makes an empty index of vectors of dim values, in memory or in a live file. It keeps half floats beside codes
// only if the metric is cosine, since other vectors might be too large for them.
//
// With BuildOptions.Live the index is a file at Path with room for Capacity vectors. The file is mapped, opens at once
// however large it is, and holds what was added even if the process is killed; Sync and Close write it to the disk. All
// of its room is taken now. When it is full it is copied to a larger file that takes its place.
func New(dim int, o BuildOptions) (*Index, error) {
	if err := errors.Join(o.nameChoices(), o.checkDistance()); err != nil {
		return nil, fmt.Errorf("new index: %w", err)
	}
	if o.Live {
		return createLive(dim, o, nil)
	}
	if o.Path != "" {
		return nil, errors.New("new index: an empty index is made in memory or in a live file: Save writes it elsewhere")
	}
	c, err := o.config(dim, o.Metric == vector.Cosine)
	if err != nil {
		return nil, fmt.Errorf("new index: %w", err)
	}
	graph, err := hnsw.New(c)
	if err != nil {
		return nil, fmt.Errorf("new index: %w", err)
	}
	return &Index{engine: oneGraph{graph}}, nil
}

// createLive makes a live file and calls fill, if not nil, before the file gets its name. So the path names all vectors
// or nothing: after an error of fill, or when the process was killed meanwhile, what was there before stays.
func createLive(dim int, o BuildOptions, fill func(*hnsw.Index) error) (*Index, error) {
	c, err := o.config(dim, o.Metric == vector.Cosine)
	if err != nil {
		return nil, fmt.Errorf("create index: %w", err)
	}
	path, err := location.Target(o.Path)
	if err != nil {
		return nil, fmt.Errorf("create index: %w", err)
	}
	graph, err := store.CreateLive(path, c, store.CreateOptions{Replace: o.Replace, Fill: fill})
	if err != nil {
		return nil, err
	}
	return &Index{engine: oneGraph{graph}, live: path}, nil
}

// Build builds an index of the source's rows and opens it: in memory, or at BuildOptions.Path. It decides by the rows
// what the options leave open, as NewPlan does. It refuses NaN and infinity.
//
// At a path the index may be larger than memory: with BuildOptions.Memory rows are divided into shards such that
// neighbours come together, and each shard is built on its own. A build of several shards that was killed goes on when
// it is started again with the same rows and options.
//
// With External the rows, a Matrix, are attached instead of copied: see Index.Attach.
func Build(ctx context.Context, src Source, o BuildOptions) (*Index, error) {
	if o.Path != "" && o.held == nil {
		lock, err := o.reserve(ctx)
		if err != nil {
			return nil, fmt.Errorf("build: %w", err)
		}
		defer lock.Close()
		o.held = lock
	}
	p, err := NewPlan(ctx, src, o)
	if err != nil {
		return nil, err
	}
	return p.Run(ctx)
}

// Attach gives an external index its vectors, float32 or float16, element i's in row i, as they were when it was
// built. They are read where they lie, in memory or in a mapping, never copied nor changed, and must outlive the index.
// Where the metric is cosine they must be of length 1. Other vectors may be attached in their place at any time, in the
// other type for example. mapped says that they lie in a mapped file, the failing of which becomes an error of
// searches.
func (x *Index) Attach(rows vector.Matrix, mapped bool) error {
	if err := x.engine.Attach(rows, hnsw.AttachOptions{Mapped: mapped}); err != nil {
		return fmt.Errorf("attach vectors: %w", err)
	}
	return nil
}
