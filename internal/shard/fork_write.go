package shard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/hnswlib"
	"github.com/shale-search/shale/internal/vfs"
	"github.com/shale-search/shale/vector"
)

// ForkShardOptions says how to build a shard of a directory of hnswlib-mmap. The zero value of a field means its
// default.
type ForkShardOptions struct {
	Shard          int // its number, from 0 on
	Start          int // the number that its first row has in the whole index
	Metric         vector.Metric
	M              int // links a new row; default 8
	EfConstruction int // default 200
	Threads        int // default GOMAXPROCS
	Progress       func(done int)
}

// BuildForkShard builds a graph of rows, fp32 or fp16, and writes its links as shard_N.graph and what rows they are of
// as shard_N.meta to dir, which is made where its parent exists. Labels are 0 … n − 1, the rows of the shard. The rows
// aren't changed: where the metric is cosine the graph is that of a normalised copy. A graph built with one thread
// depends on nothing but rows and options; more threads change which links are found, not which row is whose.
func BuildForkShard(ctx context.Context, dir string, rows vector.Matrix, o ForkShardOptions) error {
	if o.Shard < 0 || o.Start < 0 || o.Start > math.MaxInt-rows.Rows() {
		return fmt.Errorf("shard %d from row %d on: numbers start at 0", o.Shard, o.Start)
	}
	rows, free, err := unitCopy(rows, o.Metric)
	if err != nil {
		return fmt.Errorf("build shard %d: %w", o.Shard, err)
	}
	defer free()
	x, err := buildGraph(ctx, rows, o)
	if err != nil {
		return fmt.Errorf("build shard %d: %w", o.Shard, err)
	}
	defer x.Close()
	if err := vfs.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("build shard %d: %w", o.Shard, err)
	}
	return writeForkShard(ctx, dir, o.Shard, ForkShard{x, o.Start})
}

// ForkShard is a shard to be written: a graph and the number that its first row has in the whole index. Labels are
// those of the shard, from 0 on.
type ForkShard struct {
	Graph ForkGraph
	Start int
}

// ForkGraph is a graph that can be written: *hnsw.Index and *hnsw.Frozen.
type ForkGraph interface {
	store.Source
	Len() int
	Config() hnsw.Config
}

func writeForkShard(ctx context.Context, dir string, i int, s ForkShard) error {
	if err := hnswlib.WriteGraph(ctx, filepath.Join(dir, hnswlib.ShardGraphName(i)), s.Graph); err != nil {
		return fmt.Errorf("write shard %d: %w", i, err)
	}
	start, n := uint64(s.Start), uint64(s.Graph.Len())
	m := hnswlib.ShardMeta{Start: start, End: start + n, Count: n}
	if err := hnswlib.WriteShardMeta(filepath.Join(dir, hnswlib.ShardMetaName(i)), m); err != nil {
		return fmt.Errorf("write shard %d: %w", i, err)
	}
	return nil
}

// WriteForkMeta writes index.meta, which makes the shards in dir an index.
func WriteForkMeta(dir string, m hnswlib.IndexMeta) error {
	return hnswlib.WriteIndexMeta(filepath.Join(dir, hnswlib.IndexMetaName), m)
}

// WriteFork writes shards, one at least, as a directory of hnswlib-mmap, which appears whole or not at all and takes
// the place of one that is there.
func WriteFork(ctx context.Context, dir string, shards []ForkShard) error {
	c := shards[0].Graph.Config()
	m := hnswlib.IndexMeta{Shards: len(shards), Dim: c.Dim, M: c.M, EfConstruction: c.EfConstruction, Metric: c.Metric}
	return writeDir(dir, hnswlib.IsShardFile, func(temp string) error {
		for i, s := range shards {
			if err := writeForkShard(ctx, temp, i, s); err != nil {
				return err
			}
			m.Total += s.Graph.Len()
		}
		return WriteForkMeta(temp, m)
	})
}

// writeDir makes a directory of what fill writes to another, which then takes its place. It refuses to replace one that
// holds files which aren't own.
func writeDir(dir string, own func(name string) bool, fill func(temp string) error) error {
	if err := checkOwn(dir, own); err != nil {
		return err
	}
	return atomicfile.Dir(dir, true, fill)
}

// forkShards returns the shards of an external index.
func (x *Index) forkShards() []ForkShard {
	var shards []ForkShard
	for _, p := range x.parts {
		s := ForkShard{p.frozen, p.rowsAt}
		if !x.global.Load() && p.rowsAt > 0 {
			s.Graph = localLabels{p.frozen, uint64(p.rowsAt)}
		}
		shards = append(shards, s)
	}
	return shards
}

// localLabels is a graph whose labels are those of a shard.
type localLabels struct {
	*hnsw.Frozen
	start uint64
}

// WithImage is that of the graph, but for labels.
func (l localLabels) WithImage(fn func(*hnsw.Image) error) error {
	return l.Frozen.WithImage(func(m *hnsw.Image) error {
		local := *m
		local.Labels = make([]uint64, len(m.Labels))
		for i, label := range m.Labels {
			local.Labels[i] = label - l.start
		}
		return fn(&local)
	})
}

// buildGraph builds links over rows, which must outlive them.
func buildGraph(ctx context.Context, rows vector.Matrix, o ForkShardOptions) (*hnsw.Index, error) {
	if o.M == 0 {
		o.M = 8
	}
	x, err := hnsw.New(hnsw.Config{
		Dim: rows.Dim(), Metric: o.Metric, M: o.M, EfConstruction: o.EfConstruction, Seed: 100 + uint64(o.Shard),
		Storage: rowtype.External, Capacity: rows.Rows(),
	})
	if err != nil {
		return nil, err
	}
	if err = x.Attach(rows, hnsw.AttachOptions{}); err == nil {
		err = x.AddAttached(ctx, rows.Rows(), nil, hnsw.BatchOptions{Threads: o.Threads, Progress: o.Progress})
	}
	if err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// unitCopy gives rows as the metric wants them: for cosine a normalised copy, which free frees, else themselves.
func unitCopy(rows vector.Matrix, metric vector.Metric) (unit vector.Matrix, free func(), err error) {
	if metric != vector.Cosine {
		return rows, func() {}, nil
	}
	r, err := mmap.Anonymous(rows.Rows() * rows.Dim() * 4)
	if err != nil {
		return rows, nil, err
	}
	data := mmap.Slice[float32](r, 0, rows.Rows()*rows.Dim())
	for i := range rows.Rows() {
		row := data[i*rows.Dim() : (i+1)*rows.Dim()]
		rows.Decode(i, row)
		vector.Normalize(row)
	}
	unit, err = vector.Of(data, rows.Dim())
	return unit, func() { _ = r.Close() }, err // unmapping what mmap gave can't fail
}
