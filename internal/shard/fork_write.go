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
	Start          int // the number of its first row in the whole index
	Metric         vector.Metric
	M              int // number of links of a new row; default 8
	EfConstruction int // default 200
	Threads        int // default GOMAXPROCS
	Progress       func(done int)
}

// BuildForkShard builds a graph of rows, fp32 or fp16, and writes its links to shard_N.graph and the range of its rows
// to shard_N.meta in dir, which is created if its parent exists. Labels are 0 … n − 1. The rows aren't changed: if the
// metric is cosine, the graph is built from a normalised copy. A graph built with one thread depends only on the rows
// and options; with more threads the links may differ, but not the labels.
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

// ForkShard is a shard to write: a graph and the number of its first row in the whole index. Labels in the graph begin
// at 0.
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

// WriteForkMeta writes index.meta, which makes an index of the shards in dir.
func WriteForkMeta(dir string, m hnswlib.IndexMeta) error {
	return hnswlib.WriteIndexMeta(filepath.Join(dir, hnswlib.IndexMetaName), m)
}

// WriteFork writes at least one shard as a directory of hnswlib-mmap. The directory appears as a whole or not at all,
// and replaces an earlier one.
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

// writeDir lets fill write to a temporary directory, which then replaces dir. It refuses to replace a directory with
// files for whose names own returns false.
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

// localLabels is a graph with the labels of a shard, which begin at 0.
type localLabels struct {
	*hnsw.Frozen
	start uint64
}

// WithImage calls fn with the image of the graph, but with the labels of the shard.
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

// unitCopy returns a normalised copy of rows if the metric is cosine, otherwise rows. The function free frees the copy.
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
