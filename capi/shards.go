package main

/*
#include "shale.h"
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
	"unsafe"

	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/quant/pq"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/internal/store/hnswlib"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// shards is a directory of shards of hnswlib-mmap.
type shards struct{ *shard.Index }

func (x *shards) effort(o search.Options, k int) search.Options {
	o.Ef, o.Independent = max(o.Ef, k), true
	if o.Shards == nil {
		o.Probes = math.MaxInt32
	}
	return o
}

func (x *shards) stat() statistics {
	m := x.Manifest()
	return statistics{capacity: m.Rows, count: m.Rows, deleted: m.Deleted, m: m.M,
		efConstruction: m.EfConstruction, external: true}
}

func (x *shards) all() ([]uint64, error)      { return x.Findable() }
func (x *shards) findable() ([]uint64, error) { return x.Findable() }

var errShards = errors.New("the shards of hnswlib-mmap are only searched")

func (x *shards) vectors([]uint64, []float32) error { return errShards }
func (x *shards) contains([]uint64, []bool) error   { return errShards }

func (x *shards) freeze(time.Duration) (indexState, func(), error) {
	return indexState{}, nil, errors.New("shards are opened anew in a child of fork")
}

//export goShardBuild
func goShardBuild(rows unsafe.Pointer, typ C.int32_t, count, dim C.int64_t, dir, options *C.char, number,
	start C.int64_t, job *C.int64_t) status {
	name, text := C.GoString(dir), C.GoString(options)
	return perform(job, func(ctx context.Context) error {
		o, err := decode[newOptions](text)
		if err != nil {
			return err
		}
		metric, err := o.metric()
		if err != nil {
			return err
		}
		matrix, err := matrix(rows, typ, count, dim)
		if err != nil {
			return err
		}
		if err := checkFinite(matrix); err != nil {
			return err
		}
		return shard.BuildForkShard(ctx, name, matrix, shard.ForkShardOptions{
			Shard: int(number), Start: int(start), Metric: metric, M: o.M, EfConstruction: o.EfConstruction, Threads: o.Threads,
		})
	})
}

// checkFinite refuses NaN and infinity.
func checkFinite(rows vector.Matrix) error {
	row := make([]float32, rows.Dim())
	for i := range rows.Rows() {
		if rows.Decode(i, row); !floats.Finite(row) {
			return fmt.Errorf("row %d: %w", i, hnsw.ErrNotFinite)
		}
	}
	return nil
}

//export goShardsDescribe
func goShardsDescribe(dir, options *C.char, count, total C.int64_t) status {
	name, text := C.GoString(dir), C.GoString(options)
	return do(func() error {
		o, err := decode[newOptions](text)
		if err != nil {
			return err
		}
		metric, err := o.metric()
		if err != nil {
			return err
		}
		return shard.WriteForkMeta(name, hnswlib.IndexMeta{
			Shards: int(count), Total: int(total), Dim: o.Dim, M: o.M, EfConstruction: o.EfConstruction, Metric: metric,
		})
	})
}

// openShards opens shards, whose rows are to be attached.
func openShards(ctx context.Context, path string, o *openOptions, metric vector.Metric) (engine, error) {
	if o.Shards < 1 || o.Shards > math.MaxInt32 || o.InMemory < 0 {
		return nil, valueError("%d shards, %d of them in memory", o.Shards, o.InMemory)
	}
	x, err := shard.OpenFork(ctx, path, shard.ForkOptions{
		Shards: o.Shards, Dim: o.Dim, Metric: metric, LabelsAreGlobal: o.Global, Mapped: o.Mapped, InMemory: o.InMemory,
	})
	if err != nil {
		return nil, err
	}
	return &shards{x}, nil
}

// attachOptions leaves the checks of mapped rows to callers, who know which they can read cheaply.
func attachOptions(mapped C.int32_t) hnsw.AttachOptions {
	return hnsw.AttachOptions{Mapped: mapped != 0, Trusted: mapped != 0}
}

//export goAttach
func goAttach(h C.int64_t, rows unsafe.Pointer, typ C.int32_t, count, dim C.int64_t, mapped C.int32_t) status {
	return do(func() error {
		m, err := matrix(rows, typ, count, dim)
		if err != nil {
			return err
		}
		if x, err := ability[*shards](h); err == nil {
			return x.Attach(m, attachOptions(mapped))
		}
		x, err := graphOf(h)
		if err != nil {
			return err
		}
		return x.Attach(m, attachOptions(mapped))
	})
}

//export goAttachPq
func goAttachPq(h C.int64_t, codes *C.uint8_t, count, subvectors C.int64_t, codebooks *C.float, centroids C.int64_t,
	order *C.int64_t, orderCount C.int64_t, mapped C.int32_t) status {
	return do(func() error {
		x, err := ability[*shards](h)
		if err != nil {
			return err
		}
		c := pq.Config{Dim: x.Dim(), Metric: x.Metric(), Subvectors: int(subvectors), Centroids: int(centroids), Bits: 8}
		if err := c.Check(); err != nil {
			return valueError("%v", err)
		}
		q, err := pq.New(c, view[float32](ptr(codebooks), centroids*C.int64_t(x.Dim())))
		if err != nil {
			return err
		}
		if count < 0 || count > math.MaxInt64/subvectors {
			return valueError("%d codes", int64(count))
		}
		return x.AttachPQ(q, view[byte](ptr(codes), count*subvectors), hnsw.AttachPQOptions{
			Mapped: mapped != 0, SquaredL2: true, Order: view[int64](ptr(order), orderCount),
		})
	})
}

//export goSetGlobal
func goSetGlobal(h C.int64_t, global C.int32_t) status {
	return do(func() error {
		x, err := ability[*shards](h)
		if err != nil {
			return err
		}
		return x.SetLabelsAreGlobal(global != 0)
	})
}
