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
	"github.com/shale-search/shale/internal/store/marks"
	"github.com/shale-search/shale/vector"
)

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

// Write writes what has changed beside the shards, or all files, to dir as those of the generation that follows the
// manifest before, and returns the manifest that is to name the files. Where it doesn't write all, dir is the directory
// that the others lie in.
func (s *Saving) Write(ctx context.Context, dir string, before *manifest.Manifest,
	all bool) (*manifest.Manifest, error) {
	x := s.x
	s.dir, s.written = dir, nil
	if err := x.change.failed; err != nil {
		return nil, fmt.Errorf("a change ended half-way: open the index again: %w", err)
	}
	s.m = x.Manifest()
	s.m.Generation = before.Generation + 1
	if x.External() {
		if err := s.describeExternal(); err != nil {
			return nil, err
		}
	}
	if all {
		for i := range s.m.Shards {
			if err := s.shard(ctx, i); err != nil {
				return nil, fmt.Errorf("shard %d: %w", i, err)
			}
		}
	}
	if err := errors.Join(s.growing(ctx, all), s.dead(all)); err != nil {
		return nil, err
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
	file, err := s.copy(ctx, old, ShardFile(i))
	if err == nil && old.Blocks != nil {
		var blocks manifest.Shard
		blocks, err = s.copy(ctx, *old.Blocks, blocksFile(ShardFile(i)))
		file.Blocks = &blocks
	}
	s.m.Shards[i] = file
	return err
}

// growing writes the growing segment, if it has changed or all is to be written.
func (s *Saving) growing(ctx context.Context, all bool) error {
	x := s.x
	if x.growing == nil || x.growing.Len() == 0 || !all && !x.change.grown {
		return nil
	}
	name := growingFile(s.m.Generation)
	s.written = append(s.written, name)
	if err := store.SaveLike(ctx, filepath.Join(s.dir, name), s.like(), x.growing.graph); err != nil {
		return fmt.Errorf("growing segment: %w", err)
	}
	now, err := manifest.Describe(s.dir, name)
	if err != nil {
		return err
	}
	now.Rows = x.growing.Len()
	s.m.Growing = &manifest.Growing{Shard: now, Replaced: x.change.replaced}
	return nil
}

// dead writes which rows of shards are dead, if that has changed, or if all is to be written and the shards' own files
// don't say it.
func (s *Saving) dead(all bool) error {
	x := s.x
	if !x.change.marked && (!all || s.m.Dead == nil) {
		return nil
	}
	shards, n, err := x.dead()
	if err != nil {
		return err
	}
	name := deadFile(s.m.Generation)
	s.written = append(s.written, name)
	if err := marks.Write(filepath.Join(s.dir, name), shards); err != nil {
		return err
	}
	now, err := manifest.Describe(s.dir, name)
	if err != nil {
		return err
	}
	now.Rows = n
	s.m.Dead = &now
	return nil
}

// like returns the path of a file of the index whose permissions new ones get.
func (s *Saving) like() string { return filepath.Join(s.x.change.at, s.x.change.files[0].File) }

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
	x.change.grown, x.change.marked = false, false
	x.change.filesMu.Lock()
	defer x.change.filesMu.Unlock()
	x.change.at, x.change.files = dir, s.m.Shards
	x.change.growing, x.change.dead = s.m.Growing, s.m.Dead
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

// isFile returns an error if the file of a shard in dir isn't the one that s describes.
func isFile(dir string, s manifest.Shard) error {
	now, err := manifest.Describe(dir, s.File)
	if err != nil {
		return err
	}
	if now.Bytes != s.Bytes || now.CRC32C != s.CRC32C {
		return corrupt(filepath.Join(dir, s.File), "file", "it has changed since the index was opened: open it again")
	}
	return nil
}
