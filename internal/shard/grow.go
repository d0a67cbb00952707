package shard

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/internal/vfs"
	"github.com/shale-search/shale/vector"
)

// GrowOptions says what Grow changes. The zero value of a field means its default.
type GrowOptions struct {
	Dead   func(label uint64) bool // rows that are left out; default: none
	Rows   Source                  // rows that are added; default: none
	Labels []uint64                // one for each row of Rows, none of which the index has
	// EfConstruction is the most candidates for the links of the new rows; default: as many as the index has.
	EfConstruction int
	Memory         int64 // most bytes that Grow uses; default: no bound
	Threads        int   // default GOMAXPROCS
	Progress       func(Progress)
}

// ErrGrow reports an index that has to be built anew in place of being grown.
var ErrGrow = errors.New("the index can't grow")

// mostDead is the share of dead rows of a shard from which it is less work to build an index anew.
const mostDead = 0.5

// Grow writes the index at from, with rows added and dead ones left out, to dir, where nothing may be, and returns the
// number of rows. It takes over the graphs that are there and inserts rows into them, so it takes as long as inserting
// the new rows, and reads and writes one shard after another. The index at from stays as it is. The error is an ErrGrow
// if the index has to be built anew: because the memory doesn't hold the largest shard, because many rows are dead, or
// because of the kind of index.
func Grow(ctx context.Context, from, dir string, o GrowOptions) (rows int, err error) {
	m, err := manifest.Read(from)
	if err != nil {
		return 0, fmt.Errorf("grow %s: %w", from, err)
	}
	x, err := Open(ctx, from, m, OpenOptions{Mapped: true})
	if err != nil {
		return 0, fmt.Errorf("grow %s: %w", from, err)
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	temp, err := atomicfile.NewDir(dir)
	if err != nil {
		return 0, fmt.Errorf("grow %s: %w", from, err)
	}
	g := &grower{x: x, from: from, dir: temp.Path, o: o, m: x.Manifest()}
	if err := g.run(ctx); err != nil {
		return 0, fmt.Errorf("grow %s: %w", from, errors.Join(err, temp.Drop()))
	}
	return g.m.Rows, temp.Place(false)
}

// grower is the state of one Grow.
type grower struct {
	x     *Index
	from  string
	dir   string
	o     GrowOptions
	m     *manifest.Manifest // of the new index
	added []int              // rows added to each shard
	alive []int              // rows of each shard that stay
	done  int                // rows of shards that are written
}

func (g *grower) run(ctx context.Context) error {
	if err := g.check(); err != nil {
		return err
	}
	g.added = make([]int, len(g.m.Shards))
	if err := g.count(ctx); err != nil {
		return err
	}
	if err := g.divide(ctx); err != nil {
		return err
	}
	if err := g.fits(); err != nil {
		return err
	}
	g.m.Generation, g.m.Rows, g.m.Deleted = 1, 0, 0
	for i := range g.m.Shards {
		if err := g.shard(ctx, i); err != nil {
			return fmt.Errorf("shard %d: %w", i, err)
		}
		g.m.Rows += g.m.Shards[i].Rows
	}
	if g.m.Routing != nil {
		file, err := g.link(ctx, g.m.Routing.Shard, routingFile)
		if err != nil {
			return err
		}
		g.m.Routing.Shard = file
	}
	return g.m.Write(g.dir)
}

// check refuses indexes that can't grow whatever their size.
func (g *grower) check() error {
	c := g.x.parts[0].Config()
	switch {
	case g.x.External():
		return fmt.Errorf("%w: its rows lie elsewhere", ErrGrow)
	case c.Storage == rowtype.NoRows:
		return fmt.Errorf("%w: it keeps no rows, by which links are chosen", ErrGrow)
	case c.Custom != nil:
		return fmt.Errorf("%w: its distance is a function of the program", ErrGrow)
	case g.m.Growing != nil || g.m.Dead != nil:
		return fmt.Errorf("%w: it has been changed beside its shards", ErrGrow)
	case g.m.Routing != nil && g.m.Routing.Copies > 1:
		return fmt.Errorf("%w: rows lie in several shards", ErrGrow)
	}
	for _, s := range g.m.Shards {
		if s.Blocks != nil {
			return fmt.Errorf("%w: its rows also lie in blocks", ErrGrow)
		}
	}
	return nil
}

// count counts the rows of each shard that stay.
func (g *grower) count(ctx context.Context) error {
	for _, p := range g.x.parts {
		labels, err := p.Findable()
		if err != nil {
			return err
		}
		alive := len(labels)
		for _, l := range labels {
			if g.o.Dead != nil && g.o.Dead(l) {
				alive--
			}
		}
		g.alive = append(g.alive, alive)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// uncachedParts is how many bytes of part files the page cache holds where memory is short.
const uncachedParts = 16 << 20

// divide writes the new rows to part files, of the shards that queries equal to them would search first.
func (g *grower) divide(ctx context.Context) error {
	if g.o.Rows == nil || g.o.Rows.Rows() == 0 {
		return nil
	}
	if len(g.added) == 1 {
		g.added[0] = g.o.Rows.Rows()
		return nil
	}
	if g.x.router != nil { // each row looks into it
		if _, err := g.x.router.pin(math.MaxInt64); err != nil {
			return err
		}
	}
	size := rowtype.Size(g.o.Rows.Type(), g.o.Rows.Dim())
	b := BuildOptions{Memory: g.o.Memory}
	files, err := CreateParts(g.dir, len(g.added), size, b.partBuffer(len(g.added)), g.o.Labels)
	if err != nil {
		return err
	}
	defer files.Abort()
	if g.o.Memory > 0 {
		files.uncached = uncachedParts
	}
	shards := newRowRoutes(g.x, g.added)
	err = g.o.Rows.Blocks(ctx, func(first int, rows vector.Matrix) error {
		for row := range rows.Rows() {
			routes, _, err := shards.of(rows, row)
			if err != nil {
				return fmt.Errorf("row %d: %w", first+row, err)
			}
			part := routes[0].part
			if err := files.Put(part, first+row, rows.RowBytes(row)); err != nil {
				return err
			}
			g.added[part]++
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	if err := files.Commit(); err != nil {
		return err
	}
	for i := range g.added {
		g.uncache(filepath.Join(g.dir, PartFile(i)))
	}
	return nil
}

// fits refuses shards that don't fit the memory, and those of which most rows are dead.
func (g *grower) fits() error {
	each, beside := rowBytes(g.x.parts[0].Config()), int64(buildMemory)+labelBytes*int64(len(g.o.Labels))
	for i, p := range g.x.parts {
		if need := each*int64(p.Len()+g.added[i]) + beside; g.o.Memory > 0 && need > g.o.Memory {
			return fmt.Errorf("%w: shard %d of %d rows needs %d MiB, %d MiB are allowed", ErrGrow, i, p.Len()+g.added[i],
				need>>20, g.o.Memory>>20)
		}
		if float64(g.alive[i]) < (1-mostDead)*float64(p.Len()) || g.alive[i]+g.added[i] == 0 {
			return fmt.Errorf("%w: of the %d rows of shard %d %d are left", ErrGrow, p.Len(), i, g.alive[i])
		}
	}
	return nil
}

// shard writes shard i, or links its file if nothing in it changes.
func (g *grower) shard(ctx context.Context, i int) error {
	p, old := g.x.parts[i], g.m.Shards[i]
	if g.added[i] == 0 && g.alive[i] == p.Len() {
		file, err := g.link(ctx, old, ShardFile(i))
		g.m.Shards[i] = file
		g.done += old.Rows
		return err
	}
	x, err := store.OpenIndex(ctx, filepath.Join(g.from, old.File), store.Options{Capacity: p.Len() + g.added[i]})
	if err != nil {
		return err
	}
	defer x.Close()
	g.uncache(filepath.Join(g.from, old.File))
	if err := g.bury(ctx, x); err != nil {
		return err
	}
	if err := g.add(ctx, i, x); err != nil {
		return err
	}
	if err := x.Reorder(); err != nil {
		return err
	}
	name := ShardFile(i)
	if err := store.Save(ctx, filepath.Join(g.dir, name), x); err != nil {
		return err
	}
	g.uncache(filepath.Join(g.dir, name))
	now, err := manifest.Describe(g.dir, name)
	now.Rows = x.Len()
	g.m.Shards[i] = now
	g.done += x.Len()
	return err
}

// uncache takes a file that has been read or written as a whole from the page cache, if memory is short: what searches
// use stays there instead.
func (g *grower) uncache(path string) {
	if g.o.Memory == 0 {
		return
	}
	if f, err := vfs.Open(path); err == nil {
		vfs.Uncache(f)
		f.Close()
	}
}

// bury removes the dead rows of a shard.
func (g *grower) bury(ctx context.Context, x *hnsw.Index) error {
	labels, err := x.Findable()
	if err != nil {
		return err
	}
	for _, l := range labels {
		if g.o.Dead != nil && g.o.Dead(l) {
			if err := x.Delete(l); err != nil {
				return err
			}
		}
	}
	return x.Purge(ctx, g.o.Threads)
}

// add adds the new rows of shard i, which is x.
func (g *grower) add(ctx context.Context, i int, x *hnsw.Index) error {
	if g.added[i] == 0 {
		return nil
	}
	ef := x.Config().EfConstruction
	if g.o.EfConstruction > 0 {
		ef = min(ef, g.o.EfConstruction)
	}
	total, done := 0, 0
	for k := range g.added {
		total += g.alive[k] + g.added[k]
	}
	put := func(labels []uint64, rows vector.Matrix) error {
		before := g.done + g.alive[i] + done
		o := hnsw.BatchOptions{Threads: g.o.Threads, EfConstruction: ef, Progress: func(added int) {
			tell(g.o.Progress, "inserting", before+added, total)
		}}
		done += rows.Rows()
		return x.AddBatch(ctx, rows, labels, o)
	}
	if len(g.added) == 1 {
		return g.o.Rows.Blocks(ctx, func(first int, rows vector.Matrix) error {
			return put(g.o.Labels[first:first+rows.Rows()], rows)
		})
	}
	part := Part{Path: filepath.Join(g.dir, PartFile(i)), Rows: g.added[i], Type: g.o.Rows.Type(), Dim: g.x.Dim()}
	if err := part.each(put); err != nil {
		return err
	}
	return vfs.Remove(part.Path)
}

// link gives a file of the old index a name in the new one, or copies it where the file system has no links.
func (g *grower) link(ctx context.Context, old manifest.Shard, name string) (manifest.Shard, error) {
	f, err := vfs.OpenFile(filepath.Join(g.from, old.File), os.O_RDONLY|vfs.NoFollow, 0)
	if err != nil {
		return old, err
	}
	defer f.Close()
	to := filepath.Join(g.dir, name)
	if vfs.Link(f, to) != nil {
		if err := copyTo(ctx, to, f); err != nil {
			return old, err
		}
	}
	old.File = name
	return old, isFile(g.dir, old)
}
