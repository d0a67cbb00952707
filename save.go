package shale

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/vfs"
	"github.com/shale-search/shale/shard"
	"github.com/shale-search/shale/store"
	"github.com/shale-search/shale/store/hnswlib"
	"github.com/shale-search/shale/store/manifest"
)

// ErrChanged reports an index on disk that was saved by someone else since it was opened.
var ErrChanged = errors.New("the index was changed by another process meanwhile")

// SaveOptions says how to save.
type SaveOptions struct {
	// Format is how to lay out the index. Auto keeps that of the index at the path; where there is none, a name that ends
	// in .shale becomes a file, others a directory.
	Format Format
	// Replace allows to save over an index directory that this index wasn't opened from, or that has changed since.
	Replace bool
	// Vectors is the file that the rows of an index of links alone lie in, which the directory notes for those who open it.
	Vectors string
}

// Save writes the index to path. What was there stays until all is written, and stays after an error or when ctx ends.
// Searches go on meanwhile, changes wait.
func (x *Index) Save(ctx context.Context, path string, o SaveOptions) error {
	x.saving.Lock()
	defer x.saving.Unlock()
	path = filepath.Clean(path)
	format, err := formatFor(path, o.Format)
	if err == nil {
		err = x.saveAs(ctx, path, format, o)
	}
	if err != nil {
		return fmt.Errorf("save index: %w", err)
	}
	return nil
}

func (x *Index) saveAs(ctx context.Context, path string, format Format, o SaveOptions) (err error) {
	if format == Live {
		return x.saveLive(path)
	}
	if x.shards != nil {
		defer mmap.Catch(mmap.Guard(), &err)
	}
	if format == ForkShards {
		shards := x.forkShards()
		if shards == nil {
			return fmt.Errorf("the rows of its shards, of which there are %d, don't follow each other, as those of hnswlib-mmap must: build it anew as an index of one shard",
				x.shards.Shards())
		}
		return shard.WriteFork(ctx, path, shards)
	}
	graph := x.single()
	switch {
	case graph == nil && format == Directory && x.shards.GraphOnly():
		return x.saveGraphs(ctx, path, o)
	case graph == nil && x.shards.Shards() > 1:
		return fmt.Errorf("%d shards can't become one graph: build it anew as an index of one shard", x.shards.Shards())
	case graph == nil:
		return ErrReadOnly
	}
	switch format {
	case File:
		return store.Save(ctx, path, graph)
	case Hnswlib:
		return hnswlib.Write(ctx, path, graph)
	case Graph:
		return hnswlib.WriteGraph(ctx, path, graph)
	}
	return x.saveDirectory(ctx, path, o)
}

// single is the one graph that the index is, or nil.
func (x *Index) single() store.Source {
	if x.graph != nil {
		return x.graph
	}
	if f := x.shards.Single(); f != nil {
		return f
	}
	return nil
}

// forkShards are the graphs of an index of one, or of links alone.
func (x *Index) forkShards() []shard.ForkShard {
	if x.graph != nil {
		return []shard.ForkShard{{Graph: x.graph}}
	}
	return x.shards.ForkShards()
}

// saveLive lets a live file be as it is now. It isn't replaced by another index.
func (x *Index) saveLive(path string) error {
	if x.live != path {
		return fmt.Errorf("a live file is made by Create, and not replaced: give another path than %s", path)
	}
	return x.Sync()
}

func (x *Index) saveDirectory(ctx context.Context, dir string, o SaveOptions) error {
	if err := x.noteVectors(dir, o.Vectors); err != nil {
		return err
	}
	replace := o.Replace
	if _, err := vfs.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return x.saveNew(ctx, dir)
	}
	generation := 0
	if before, err := manifest.Read(dir); err == nil {
		generation = before.Generation
	} else if !replace && !isEmptyDir(dir) {
		return err
	}
	switch {
	case replace || generation == 0:
	case x.home != dir:
		return fmt.Errorf("%s: %w: set Replace to save over it", dir, fs.ErrExist)
	case x.generation != generation:
		return fmt.Errorf("%s: %w: open it again", dir, ErrChanged)
	}
	if err := x.writeGeneration(ctx, dir, generation+1); err != nil {
		return err
	}
	x.home, x.generation = dir, generation+1
	return removeOthers(dir, shardName(generation+1))
}

// saveGraphs writes several graphs of links alone as a directory.
func (x *Index) saveGraphs(ctx context.Context, dir string, o SaveOptions) error {
	if _, err := vfs.Stat(dir); err == nil && !o.Replace && !isEmptyDir(dir) {
		return fmt.Errorf("%s: %w: set Replace to save over it", dir, fs.ErrExist)
	}
	if err := x.noteVectors(dir, o.Vectors); err != nil {
		return err
	}
	return x.shards.SaveGraphs(ctx, dir, func(m *manifest.Manifest) { m.Vectors, m.Tuned = x.vectors, x.tuned.Load() })
}

// noteVectors keeps the way from dir to a file of vectors, if one is given.
func (x *Index) noteVectors(dir, path string) error {
	if path == "" {
		return nil
	}
	from, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	to, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if x.vectors, err = filepath.Rel(from, to); err != nil {
		x.vectors = to // on another drive
	}
	return nil
}

// saveNew makes the directory under another name first, so that it appears whole.
func (x *Index) saveNew(ctx context.Context, dir string) error {
	err := atomicfile.Dir(dir, func(temp string) error { return x.writeGeneration(ctx, temp, 1) })
	if err == nil || errors.Is(err, atomicfile.ErrUnsynced) {
		x.home, x.generation = dir, 1
	}
	return err
}

// writeGeneration writes the shard under a name of its own and then the manifest, which makes it the index.
func (x *Index) writeGeneration(ctx context.Context, dir string, generation int) error {
	name := shardName(generation)
	path := filepath.Join(dir, name)
	if err := store.Save(ctx, path, x.single()); err != nil {
		return err
	}
	m, err := x.describe(dir, name, generation)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = m.Write(dir)
	}
	if err != nil {
		return errors.Join(err, vfs.Remove(path))
	}
	return nil
}

// describe takes the numbers from the file, since the index may have changed since it was written.
func (x *Index) describe(dir, name string, generation int) (*manifest.Manifest, error) {
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
	storage, keep := storageOf(c)
	return &manifest.Manifest{
		Generation: generation, Rows: info.Count, Deleted: info.Deleted,
		Dim: c.Dim, Metric: c.Metric.String(), Storage: storage, Keep: keep, Product: productOf(c),
		M: c.M, BaseLinks: c.BaseLinks, EfConstruction: c.EfConstruction, Seed: c.Seed,
		Tuned: x.tuned.Load(), Vectors: x.vectors, Shards: []manifest.Shard{shard},
	}, nil
}

// shardPrefix starts the names of all files of shards.
const shardPrefix = "shard-"

func shardName(generation int) string { return fmt.Sprintf("%s0.%06d.shale", shardPrefix, generation) }

// removeOthers removes the files of earlier generations. Only files that are named as those of shards are touched.
func removeOthers(dir, keep string) error {
	entries, err := vfs.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("saved, but old files stay: %w", err)
	}
	for _, e := range entries {
		name := e.Name()
		ours := strings.HasSuffix(name, ".shale") || strings.HasSuffix(name, ".blocks")
		if name == keep || !strings.HasPrefix(name, shardPrefix) || !ours {
			continue
		}
		if err := vfs.Remove(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("saved, but an old file stays: %w", err)
		}
	}
	return nil
}

// SaveTuned writes what Tune set to the index directory at path, and nothing else.
func (x *Index) SaveTuned(path string) error {
	x.saving.Lock()
	defer x.saving.Unlock()
	path = filepath.Clean(path)
	m, err := manifest.Read(path)
	if err != nil {
		return fmt.Errorf("save tuning: %w", err)
	}
	if x.home != path || x.generation != m.Generation {
		return fmt.Errorf("save tuning: %s: %w: open it again", path, ErrChanged)
	}
	m.Tuned = x.tuned.Load()
	if err := m.Write(path); err != nil {
		return fmt.Errorf("save tuning: %w", err)
	}
	return nil
}
