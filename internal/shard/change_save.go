package shard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/vector"
)

// Changeable reports whether the index can be changed shard by shard. The error says why not.
func (x *Index) Changeable() error {
	x.change.mu.Lock()
	defer x.change.mu.Unlock()
	return x.mayChange()
}

// Saving is a save under way, while which changes wait.
type Saving struct {
	x       *Index
	dir     string
	m       *manifest.Manifest
	written []string
}

// BeginSave begins to save the index. Changes wait until the caller calls End.
func (x *Index) BeginSave() *Saving {
	x.change.mu.Lock()
	return &Saving{x: x}
}

// Written returns the names of the files that the last call of Write has written, or begun to write.
func (s *Saving) Written() []string { return s.written }

// Write writes the shards that have changed, or all of them, to dir as those of a generation of the index, and returns
// the manifest that is to name the files. Where it doesn't write all, dir is the directory that the others lie in.
func (s *Saving) Write(ctx context.Context, dir string, generation int, all bool) (*manifest.Manifest, error) {
	x := s.x
	s.dir, s.written = dir, nil
	if err := x.change.failed; err != nil {
		return nil, fmt.Errorf("a change ended after some of the shards: open the index again: %w", err)
	}
	s.m = x.Manifest()
	s.m.Generation = generation
	for i := range s.m.Shards {
		if !all && !x.change.changed[i] {
			continue
		}
		if err := s.shard(ctx, i); err != nil {
			return nil, fmt.Errorf("shard %d: %w", i, err)
		}
	}
	if r := s.m.Routing; r != nil && all {
		file, err := s.copy(ctx, r.Shard, routingFile)
		if err != nil {
			return nil, fmt.Errorf("routing: %w", err)
		}
		r.Shard = file
	}
	return s.m, ctx.Err()
}

// shard writes shard i.
func (s *Saving) shard(ctx context.Context, i int) error {
	x, old := s.x, s.m.Shards[i]
	if !x.change.changed[i] {
		file, err := s.copy(ctx, old, ShardFile(i))
		if err == nil && old.Blocks != nil {
			var blocks manifest.Shard
			blocks, err = s.copy(ctx, *old.Blocks, blocksFile(ShardFile(i)))
			file.Blocks = &blocks
		}
		s.m.Shards[i] = file
		return err
	}
	name := laterFile(ShardFile(i), s.m.Generation)
	s.written = append(s.written, name)
	path, like := filepath.Join(s.dir, name), filepath.Join(x.change.at, old.File)
	if err := store.SaveLike(ctx, path, like, x.parts[i].graph); err != nil {
		return err
	}
	now, err := manifest.Describe(s.dir, name)
	if err != nil {
		return err
	}
	now.Rows = x.parts[i].Len()
	s.m.Shards[i] = now
	return nil
}

// copy copies a file of the index, as the one that is called first in the first generation.
func (s *Saving) copy(ctx context.Context, old manifest.Shard, first string) (manifest.Shard, error) {
	name := laterFile(first, s.m.Generation)
	f, _, err := format.OpenFile(filepath.Join(s.x.change.at, old.File))
	if err != nil {
		return old, err
	}
	defer f.Close()
	s.written = append(s.written, name)
	err = atomicfile.Write(filepath.Join(s.dir, name), func(w io.Writer) error {
		b := format.Writer(ctx, w)
		if _, err := io.Copy(b, f); err != nil {
			return err
		}
		return b.Flush()
	})
	if err != nil {
		return old, err
	}
	now := old
	now.File = name
	return now, isFile(s.dir, now)
}

// Done notes that the index is in dir now, as the manifest says that Write returned.
func (s *Saving) Done(dir string) {
	x := s.x
	clear(x.change.changed)
	x.change.filesMu.Lock()
	defer x.change.filesMu.Unlock()
	x.change.at, x.change.files = dir, s.m.Shards
}

// End lets changes go on.
func (s *Saving) End() { s.x.change.mu.Unlock() }

// MergeOptions says how to make one graph of several shards.
type MergeOptions struct {
	Plain    bool // a graph without codes, whose rows are those kept or, where none are, what codes stand for
	Threads  int  // default GOMAXPROCS
	Progress func(done, total int)
}

// Merge builds one graph of the rows that a search may find. Changes wait meanwhile.
func (x *Index) Merge(ctx context.Context, o MergeOptions) (g *hnsw.Index, err error) {
	x.change.mu.Lock()
	defer x.change.mu.Unlock()
	if x.External() {
		return nil, fmt.Errorf("%d external shards can't become one graph: build it anew from all vectors",
			len(x.parts))
	}
	c := x.parts[0].Config()
	c.Capacity = x.Len()
	switch {
	case o.Plain:
		c.Codes = hnsw.Codes{}
		if c.Storage == rowtype.NoRows {
			c.Storage = vector.Float32
		}
	case c.Storage == rowtype.NoRows:
		return nil, errors.New("the shards keep codes without rows, from which no other graph is built: build it anew from " +
			"all vectors")
	case c.Codes.Subvectors > 0:
		return nil, errors.New("codes of product quantization are trained on all rows: build one graph anew from all vectors")
	}
	if g, err = hnsw.New(c); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.Close())
			g = nil
		}
	}()
	err = x.EachVector(ctx, func(labels []uint64, rows vector.Matrix) error {
		if err := g.AddBatch(ctx, rows, labels, hnsw.BatchOptions{Threads: o.Threads}); err != nil {
			return err
		}
		if o.Progress != nil {
			o.Progress(g.Len(), c.Capacity)
		}
		return nil
	})
	if err != nil {
		return g, err
	}
	return g, g.Reorder()
}
