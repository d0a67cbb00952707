package main

/*
#include "shale.h"
*/
import "C"

import (
	"context"
	"fmt"
	"math"
	"unsafe"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/quant/pq"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/internal/store/hnswlib"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// shards is a directory of shards of hnswlib-mmap.
type shards struct{ *shard.Index }

//export goShardBuild
func goShardBuild(rows unsafe.Pointer, typ C.int32_t, count, dim C.int64_t, space C.int32_t, dir *C.char, number, start, m, efConstruction C.int64_t, threads C.int32_t, job *C.int64_t) status {
	name := C.GoString(dir)
	return perform(job, func(ctx context.Context) error {
		metric, err := metric(space)
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
			Shard: int(number), Start: int(start), Metric: metric, M: int(m), EfConstruction: int(efConstruction), Threads: int(threads),
		})
	})
}

// checkFinite refuses NaN and infinity.
func checkFinite(rows vector.Matrix) error {
	row := make([]float32, rows.Dim())
	for i := range rows.Rows() {
		if rows.Decode(i, row); !vector.Finite(row) {
			return fmt.Errorf("row %d: %w", i, hnsw.ErrNotFinite)
		}
	}
	return nil
}

//export goShardsDescribe
func goShardsDescribe(dir *C.char, space C.int32_t, dim, count, total, m, efConstruction C.int64_t) status {
	name := C.GoString(dir)
	return do(func() error {
		metric, err := metric(space)
		if err != nil {
			return err
		}
		return shard.WriteForkMeta(name, hnswlib.IndexMeta{
			Shards: int(count), Total: int(total), Dim: int(dim), M: int(m), EfConstruction: int(efConstruction), Metric: metric,
		})
	})
}

//export goShardsOpen
func goShardsOpen(dir *C.char, space C.int32_t, dim, count C.int64_t, global, mapped C.int32_t, inMemory C.int64_t, out, job *C.int64_t) status {
	name := C.GoString(dir)
	return perform(job, func(ctx context.Context) error {
		metric, err := metric(space)
		if err != nil {
			return err
		}
		if count < 1 || count > math.MaxInt32 || inMemory < 0 {
			return valueError("%d shards, %d of them in memory", int64(count), int64(inMemory))
		}
		x, err := shard.OpenFork(ctx, name, shard.ForkOptions{
			Shards: int(count), Dim: int(dim), Metric: metric, LabelsAreGlobal: global != 0, Mapped: mapped != 0, InMemory: int(inMemory),
		})
		if err != nil {
			return err
		}
		*out = table.add(&shards{x})
		return nil
	})
}

//export goShardsAttach
func goShardsAttach(h C.int64_t, rows unsafe.Pointer, typ C.int32_t, count, dim C.int64_t, mapped C.int32_t) status {
	return do(func() error {
		x, err := object[*shards](h)
		if err != nil {
			return err
		}
		m, err := matrix(rows, typ, count, dim)
		if err != nil {
			return err
		}
		return x.Attach(m, attachOptions(mapped))
	})
}

//export goShardsAttachPq
func goShardsAttachPq(h C.int64_t, codes *C.uint8_t, count, subvectors C.int64_t, books *C.float, centroids C.int64_t, order *C.int64_t, orderCount C.int64_t, mapped C.int32_t) status {
	return do(func() error {
		x, err := object[*shards](h)
		if err != nil {
			return err
		}
		c := pq.Config{Dim: x.Dim(), Metric: x.Metric(), Subvectors: int(subvectors), Centroids: int(centroids), Bits: 8}
		if err := c.Check(); err != nil {
			return valueError("%v", err)
		}
		q, err := pq.New(c, view[float32](ptr(books), centroids*C.int64_t(x.Dim())))
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

//export goShardsSetGlobal
func goShardsSetGlobal(h C.int64_t, global C.int32_t) status {
	return do(func() error {
		x, err := object[*shards](h)
		if err != nil {
			return err
		}
		return x.SetLabelsAreGlobal(global != 0)
	})
}

// search answers a call: rows with fewer results are filled up.
func (x *shards) search(ctx context.Context, c *C.struct_shale_query) error {
	rows, err := rowsFor(c, x.Dim())
	if err != nil {
		return err
	}
	o := search.Options{Ef: max(int(c.ef), int(c.k)), Threads: int(c.threads), Independent: true}
	if c.part_count < 0 {
		o.Probes = math.MaxInt32
	} else if o.Shards = view[uint32](ptr(c.parts), c.part_count); o.Shards == nil {
		o.Shards = []uint32{}
	}
	out := room(c, make([]int, rows.Rows()))
	if rows.Rows() == 1 {
		return x.searchOne(rows, &out, o)
	}
	got, err := x.SearchBatch(ctx, rows, out.K, o)
	if err != nil {
		return err
	}
	copy(out.Labels, got.Labels)
	copy(out.Distances, got.Distances)
	return nil
}

func (x *shards) searchOne(rows vector.Matrix, out *search.Results, o search.Options) error {
	query := make([]float32, rows.Dim())
	rows.Decode(0, query)
	found, err := x.SearchInto(nil, query, out.K, o)
	if err != nil {
		return fmt.Errorf("search: %w", err)
	}
	out.Set(0, found)
	return nil
}
