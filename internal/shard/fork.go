package shard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/hnswlib"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/internal/vfs"
	"github.com/shale-search/shale/vector"
)

// ForkOptions says how to open a directory of shards of hnswlib-mmap. With the zero value, the graphs of all shards are
// held in memory.
type ForkOptions struct {
	// Shards is the number of shards to open, from the first; index.meta isn't read then. 0: the number in index.meta.
	Shards int
	Dim    int           // values of a row, which every graph must have; 0: from index.meta or the first graph
	Metric vector.Metric // used if index.meta isn't read; otherwise index.meta holds it
	// LabelsAreGlobal means that labels in the graphs are those of the whole index. Otherwise the number of a shard's
	// first row is added to them.
	LabelsAreGlobal bool
	// Mapped maps the graphs, so that only the parts that searches need are in memory. A .graph file can't be searched in
	// place: each is read, checked and written in Shale's own layout to a file without a name, which is gone once the
	// index is closed.
	Mapped bool
	// InMemory is the number of shards, from the first, whose graphs are held in memory; the others are mapped. 0: Mapped
	// decides.
	InMemory int
	// TempDir is the directory for the files of mapped graphs. Default: the directory of the shards or, if that can't be
	// written to, the system's directory for temporary files. A file system in memory can't evict these files.
	TempDir string
}

// OpenFork opens a directory of shards of hnswlib-mmap: one external index, which is searched once rows are
// attached, those of all shards in the order of their numbers. Every search covers all shards, unless
// search.Options.Shards names some. If files are damaged or don't match each other, OpenFork returns a
// *store.FormatError. It can't notice that a graph was replaced with another of the same size: attaching rows does.
func OpenFork(ctx context.Context, dir string, o ForkOptions) (*Index, error) {
	f := &forkOpener{ctx: ctx, dir: dir, o: o, x: &Index{dir: dir}}
	f.x.global.Store(o.LabelsAreGlobal)
	if err := f.open(); err != nil {
		return nil, errors.Join(err, f.x.Close())
	}
	return f.x, nil
}

// OpenGraph opens a .graph of hnswlib-mmap as an index of one shard, whose rows are to be attached.
func OpenGraph(ctx context.Context, path string, o ForkOptions) (*Index, error) {
	f := &forkOpener{ctx: ctx, dir: filepath.Dir(path), o: o, x: &Index{dir: filepath.Dir(path)}}
	err := f.openGraph(path, 0)
	if err == nil {
		p := f.x.parts[0]
		p.rowsEnd = p.Len()
		f.finish()
	}
	if err != nil {
		return nil, errors.Join(err, f.x.Close())
	}
	return f.x, nil
}

// forkOpener is the state of opening one directory.
type forkOpener struct {
	ctx context.Context
	dir string
	o   ForkOptions
	x   *Index
}

func (f *forkOpener) path(name string) string { return filepath.Join(f.dir, name) }

func (f *forkOpener) open() error {
	shards, total, err := f.size()
	if err != nil {
		return err
	}
	metas, err := f.readMetas(shards)
	if err != nil {
		return err
	}
	for i, m := range metas {
		if err := f.openShard(i, m); err != nil {
			return err
		}
	}
	f.finish()
	if total >= 0 && f.x.m.Rows != total {
		return corrupt(f.path(hnswlib.IndexMetaName), "total", "%d rows, the %d shards hold %d", total, shards, f.x.m.Rows)
	}
	return nil
}

// size returns the number of shards and the number of rows, which is −1 if unknown. It reads index.meta if necessary.
func (f *forkOpener) size() (shards, total int, err error) {
	if f.o.Shards > 0 {
		return f.o.Shards, -1, nil
	}
	path := f.path(hnswlib.IndexMetaName)
	m, err := hnswlib.ReadIndexMeta(path)
	if err != nil {
		return 0, 0, err
	}
	if f.o.Dim != 0 && f.o.Dim != m.Dim {
		return 0, 0, &store.FormatError{
			File: path, Offset: -1, Field: "dim", Reason: fmt.Sprintf("%d, %d values a row are expected", m.Dim, f.o.Dim),
			Err: vector.ErrDim,
		}
	}
	f.o.Dim, f.o.Metric = m.Dim, m.Metric
	return m.Shards, m.Total, nil
}

// readMetas reads the row ranges of the shards and checks that they don't overlap.
func (f *forkOpener) readMetas(shards int) ([]hnswlib.ShardMeta, error) {
	metas := make([]hnswlib.ShardMeta, 0, min(shards, 1<<10))
	for i := range shards {
		m, err := hnswlib.ReadShardMeta(f.path(hnswlib.ShardMetaName(i)))
		if err != nil {
			return nil, err
		}
		metas = append(metas, m)
	}
	order := make([]int, shards)
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(metas[a].Start, metas[b].Start), cmp.Compare(metas[a].End, metas[b].End), cmp.Compare(a, b))
	})
	for i := 1; i < shards; i++ {
		before, now := order[i-1], order[i]
		if metas[now].Start < metas[before].End {
			return nil, corrupt(f.path(hnswlib.ShardMetaName(now)), "start", "rows from %d on, but %s has those up to %d",
				metas[now].Start, hnswlib.ShardMetaName(before), metas[before].End)
		}
	}
	return metas, nil
}

// openShard opens shard i.
func (f *forkOpener) openShard(i int, m hnswlib.ShardMeta) error {
	path := f.path(hnswlib.ShardGraphName(i))
	if err := f.openGraph(path, m.Start); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return hnswlib.Missing(path, err)
		}
		return err
	}
	p := f.x.parts[i]
	if p.Len() != int(m.Count) {
		return corrupt(path, "count", "%d elements, %s says %d", p.Len(), hnswlib.ShardMetaName(i), m.Count)
	}
	p.rowsAt, p.rowsEnd = int(m.Start), int(m.End)
	if f.o.LabelsAreGlobal {
		return nil
	}
	return p.frozen.ShiftLabels(m.Start)
}

// openGraph appends the graph at path to the parts. Its first row has the number first.
func (f *forkOpener) openGraph(path string, first uint64) error {
	o := hnswlib.GraphOptions{Options: hnswlib.Options{Dim: f.o.Dim, Metric: f.o.Metric}, FirstLabel: first}
	mapped := f.o.Mapped || f.o.InMemory > 0 && len(f.x.parts) >= f.o.InMemory
	var g *hnsw.Frozen
	var err error
	if mapped {
		g, err = f.mapGraph(path, o)
	} else {
		g, err = hnswlib.ReadFrozenGraph(f.ctx, path, o)
	}
	if err != nil {
		return err
	}
	f.x.parts = append(f.x.parts, &part{Reader: &g.Reader, close: g.Close, frozen: g})
	f.o.Dim = g.Dim()
	f.x.plan.Shards++
	if mapped {
		f.x.plan.MappedShards++
	}
	s, err := os.Stat(path)
	if err != nil {
		return err
	}
	if mapped {
		f.x.plan.DiskBytes += s.Size()
	} else {
		f.x.plan.MemoryBytes += s.Size()
	}
	return nil
}

// mapGraph rewrites the graph at path in a layout that can be searched, and maps that.
func (f *forkOpener) mapGraph(path string, o hnswlib.GraphOptions) (*hnsw.Frozen, error) {
	g, err := hnswlib.ReadGraph(f.ctx, path, o)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	temp, err := f.tempFile()
	if err != nil {
		return nil, fmt.Errorf("a file to map %s from: %w", path, err)
	}
	if err := store.Write(f.ctx, temp, g); err != nil {
		return nil, errors.Join(fmt.Errorf("a file to map %s from: %w", path, err), temp.Drop())
	}
	x, err := store.OpenMapped(f.ctx, vfs.DescriptorPath(temp), store.Options{})
	if err != nil {
		return nil, errors.Join(err, temp.Drop())
	}
	if err := temp.Drop(); err != nil { // the mapping stays
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

func (f *forkOpener) tempFile() (*atomicfile.Temp, error) {
	dirs := []string{f.o.TempDir}
	if f.o.TempDir == "" {
		dirs = []string{f.dir, os.TempDir()}
	}
	var errs []error
	for _, dir := range dirs {
		t, err := atomicfile.NewTemp(filepath.Join(dir, "shale-mapped"))
		if err == nil {
			return t, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// finish fills in the index's description once all graphs are open.
func (f *forkOpener) finish() {
	x, c := f.x, f.x.parts[0].Config()
	x.metric = f.o.Metric
	x.m = &manifest.Manifest{
		Dim: c.Dim, Metric: c.Metric.String(), Storage: rowtype.External.String(), Keep: rowtype.External.String(),
		M: c.M, BaseLinks: c.BaseLinks, EfConstruction: c.EfConstruction,
	}
	for _, p := range x.parts {
		x.m.Rows += p.Len()
		x.m.Deleted += p.Deleted()
		x.m.Shards = append(x.m.Shards, manifest.Shard{Rows: p.Len()})
	}
	x.begin()
}

// SetLabelsAreGlobal changes ForkOptions.LabelsAreGlobal. Running searches still return labels of the former kind.
func (x *Index) SetLabelsAreGlobal(global bool) error {
	release, err := x.changeGraphs("labels")
	if err != nil {
		return err
	}
	defer release()
	if x.global.Swap(global) == global {
		return nil
	}
	for _, p := range x.parts {
		by := uint64(p.rowsAt)
		if global {
			by = -by
		}
		if err := p.frozen.ShiftLabels(by); err != nil {
			return err
		}
	}
	return nil
}
