package shale

import (
	"context"
	"path/filepath"

	"github.com/shale-search/shale/internal/coding"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
)

// graphSaving is a saving of one graph: a file that is written anew each time. Changes wait while it is written.
type graphSaving struct {
	graph   *hnsw.Index
	written []string
}

func (s *graphSaving) Write(ctx context.Context, dir string, before *manifest.Manifest,
	_ bool) (*manifest.Manifest, error) {
	like := ""
	if len(before.Shards) > 0 {
		like = filepath.Join(dir, before.Shards[0].File)
	}
	generation := before.Generation + 1
	name := location.ShardName(generation)
	s.written = []string{name}
	if err := store.SaveLike(ctx, filepath.Join(dir, name), like, s.graph); err != nil {
		return nil, err
	}
	m, err := describeGraph(dir, name, generation)
	if err != nil {
		return nil, err
	}
	return m, ctx.Err()
}

func (s *graphSaving) Written() []string { return s.written }

func (s *graphSaving) Done(string) {}

func (s *graphSaving) End() {}

// describeGraph returns the manifest of one graph in a file. It takes the numbers from the file, since the index may
// have changed since it was written.
func describeGraph(dir, name string, generation int) (*manifest.Manifest, error) {
	shard, err := manifest.Describe(dir, name)
	if err != nil {
		return nil, err
	}
	info, err := store.Inspect(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	shard.Rows = info.Count
	c := info.Config
	storage, keep := coding.Names(c)
	return &manifest.Manifest{
		Generation: generation, Rows: info.Count, Deleted: info.Deleted,
		Dim: c.Dim, Metric: c.Metric.String(), Distance: c.CustomName, Storage: storage, Keep: keep, Product: productOf(c),
		M: c.M, BaseLinks: c.BaseLinks, EfConstruction: c.EfConstruction, Seed: c.Seed,
		Shards: []manifest.Shard{shard},
	}, nil
}
