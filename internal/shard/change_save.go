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

// Saving is a save to a directory in progress. Changes wait until it ends.
type Saving struct {
	x       *Index
	dir     string
	m       *manifest.Manifest
	written []string
}

// BeginSave begins to save an index of several shards or an external index. Changes wait until the caller calls End.
func (x *Index) BeginSave() (*Saving, error) {
	if len(x.parts) == 1 && !x.External() {
		return nil, errUnsavable
	}
	x.change.mu.Lock()
	return &Saving{x: x}, nil
}

// errUnsavable reports that an index is one shard whose file is all that there is of it.
var errUnsavable = fmt.Errorf("%w or saved: it is mapped, or its rows lie on disk: open it in memory", ErrReadOnly)

// Written returns the names of the files that the last call of Write has written or begun to write.
func (s *Saving) Written() []string { return s.written }

// Write writes the shards that have changed, or all of them, to dir as those of the generation that follows the
// manifest before, and returns the manifest that is to name the files. Where it doesn't write all, dir is the directory
// that the others lie in.
func (s *Saving) Write(ctx context.Context, dir string, before *manifest.Manifest,
	all bool) (*manifest.Manifest, error) {
	x := s.x
	s.dir, s.written = dir, nil
	if err := x.change.failed; err != nil {
		return nil, fmt.Errorf("a change ended after some of the shards: open the index again: %w", err)
	}
	s.m = x.Manifest()
	s.m.Generation = before.Generation + 1
	if x.External() {
		if err := s.describeExternal(); err != nil {
			return nil, err
		}
	}
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

// describeExternal sets the fields of the manifest for graphs that may come from files of another format. The graphs
// must be in the order of their rows.
func (s *Saving) describeExternal() error {
	c := s.x.parts[0].Config()
	s.m.M, s.m.BaseLinks, s.m.EfConstruction, s.m.Seed = c.M, c.BaseLinks, c.EfConstruction, c.Seed
	at := 0
	for i, p := range s.x.parts {
		if p.rowsAt != at {
			return fmt.Errorf("shard %d has the rows from %d on, those before it end at %d: the index can't be written as one "+
				"whose shards follow each other", i, p.rowsAt, at)
		}
		at = p.rowsEnd
	}
	return nil
}

// shard writes shard i.
func (s *Saving) shard(ctx context.Context, i int) error {
	x, old := s.x, s.m.Shards[i]
	if x.External() {
		return s.write(ctx, i, x.parts[i].frozen)
	}
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
	return s.write(ctx, i, x.parts[i].graph)
}

// write writes graph as shard i.
func (s *Saving) write(ctx context.Context, i int, graph store.Source) error {
	x, name, like := s.x, laterFile(ShardFile(i), s.m.Generation), ""
	if old := s.m.Shards[i].File; old != "" {
		like = filepath.Join(x.change.at, old)
	}
	s.written = append(s.written, name)
	if err := store.SaveLike(ctx, filepath.Join(s.dir, name), like, graph); err != nil {
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
	if err := copyTo(ctx, filepath.Join(s.dir, name), f); err != nil {
		return old, err
	}
	now := old
	now.File = name
	return now, isFile(s.dir, now)
}

// copyTo writes what a reader gives to a new file.
func copyTo(ctx context.Context, path string, from io.Reader) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		b := format.Writer(ctx, w)
		if _, err := io.Copy(b, from); err != nil {
			return err
		}
		return b.Flush()
	})
}

// Done records that the index is in dir now, as described by the manifest that Write returned.
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
	Plain    bool // make a graph without codes; its rows are those kept or, if none are, the decoded codes
	Threads  int  // default GOMAXPROCS
	Progress func(done, total int)
}

// Graphs returns the graphs to write in formats that have no shards with rows: those of an external index, otherwise
// one graph built of the rows that a search may find. The function free frees that graph.
func (x *Index) Graphs(ctx context.Context, o MergeOptions) (graphs []ForkShard, free func() error, err error) {
	switch {
	case x.External():
		return x.forkShards(), func() error { return nil }, nil
	case len(x.parts) == 1:
		return nil, nil, errUnsavable
	}
	g, err := x.merge(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	return []ForkShard{{Graph: g}}, g.Close, nil
}

// merge builds one graph of the rows that a search may find. Changes wait meanwhile.
func (x *Index) merge(ctx context.Context, o MergeOptions) (g *hnsw.Index, err error) {
	x.change.mu.Lock()
	defer x.change.mu.Unlock()
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
