package shard

import (
	"context"
	"path/filepath"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/vector"
)

// ShardOptions says how BuildShard builds a shard.
type ShardOptions struct {
	Config   hnsw.Config // of the graph; BuildShard sets Dim and Capacity
	Blocks   bool        // store rows and links a second time, side by side
	Threads  int         // 0: GOMAXPROCS
	Progress func(done int)
}

// BuildShard builds the graph of a part's rows and writes it to the file name in dir, and its blocks to a file
// beside it. It returns the manifest's entry for these files, with their sizes and checksums. It needs only the part
// file and the options, so shards may be built in any order, by several processes or machines.
func BuildShard(ctx context.Context, part Part, dir, name string, o ShardOptions) (manifest.Shard, error) {
	o.Config.Dim, o.Config.Capacity = part.Dim, part.Rows
	x, err := hnsw.New(o.Config)
	if err != nil {
		return manifest.Shard{}, err
	}
	defer x.Close()
	if err := addPart(ctx, x, part, o); err != nil {
		return manifest.Shard{}, err
	}
	if err := x.Reorder(); err != nil {
		return manifest.Shard{}, err
	}
	if err := store.Save(ctx, filepath.Join(dir, name), x); err != nil {
		return manifest.Shard{}, err
	}
	s, err := manifest.Describe(dir, name)
	if err != nil {
		return manifest.Shard{}, err
	}
	s.Rows = x.Len()
	if o.Blocks {
		blocks, err := writeBlocks(ctx, dir, s, x)
		if err != nil {
			return manifest.Shard{}, err
		}
		s.Blocks = &blocks
	}
	return s, nil
}

// addPart adds the rows of a part file to x.
func addPart(ctx context.Context, x *hnsw.Index, part Part, o ShardOptions) error {
	done := 0
	return part.each(func(labels []uint64, rows vector.Matrix) error {
		b := hnsw.BatchOptions{Threads: o.Threads}
		if o.Progress != nil {
			before := done
			b.Progress = func(added int) { o.Progress(before + added) }
		}
		done += rows.Rows()
		return x.AddBatch(ctx, rows, labels, b)
	})
}
