package main

/*
#include "shale.h"
*/
import "C"

import (
	"context"
	"sync"
	"time"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/store/hnswlib"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// engine is what both kinds of index do.
type engine interface {
	Dim() int
	Len() int
	Capacity() int
	Config() hnsw.Config
	Deleted() int
	Labels() ([]uint64, error)
	Vector(label uint64, dst []float32) error
	AddBatch(ctx context.Context, rows vector.Matrix, labels []uint64, o hnsw.BatchOptions) error
	SearchInto(dst []search.Neighbor, query []float32, k int, o search.Options) ([]search.Neighbor, error)
	SearchBatchInto(ctx context.Context, queries vector.Matrix, out *search.Results, o search.Options) error
	Hold(patience time.Duration) (*hnsw.Memory, func(), error)
	Close() error
}

// index is a graph or flat index and the label that follows.
type index struct {
	engine
	graph *hnsw.Index // one of these is nil
	flat  *hnsw.Flat

	mu   sync.Mutex
	next uint64 // rows added so far: the label of the next one that has none

	top top
}

func ofGraph(x *hnsw.Index) *index { return &index{engine: x, graph: x, next: uint64(x.Len())} }

func ofFlat(f *hnsw.Flat) *index { return &index{engine: f, flat: f, next: uint64(f.Len())} }

func graphOf(h C.int64_t) (*hnsw.Index, error) {
	x, err := object[*index](h)
	if err != nil {
		return nil, err
	}
	if x.graph == nil {
		return nil, valueError("handle %d is that of an index without a graph", int64(h))
	}
	return x.graph, nil
}

func metric(space C.int32_t) (vector.Metric, error) {
	switch space {
	case C.SHALE_L2:
		return vector.L2, nil
	case C.SHALE_IP:
		return vector.IP, nil
	case C.SHALE_COSINE:
		return vector.Cosine, nil
	}
	return 0, valueError("space is %d", int(space))
}

//export goGraphNew
func goGraphNew(space C.int32_t, dim, capacity, m, efConstruction C.int64_t, seed C.uint64_t, replace, external C.int32_t, out *C.int64_t) status {
	return do(func() error {
		metric, err := metric(space)
		if err != nil {
			return err
		}
		c := hnsw.Config{
			Dim: int(dim), Metric: metric, M: int(m), EfConstruction: int(efConstruction), Seed: uint64(seed),
			Capacity: int(capacity), FixedCapacity: true, ReplaceDelete: replace != 0, Codes: shale.AutoCodes(int(dim)),
		}
		if external != 0 {
			c.Storage, c.Codes = vector.External, hnsw.Codes{}
		}
		x, err := hnsw.New(c)
		if err != nil {
			return err
		}
		*out = table.add(ofGraph(x))
		return nil
	})
}

// fileOptions says how to read hnswlib's files.
func fileOptions(space C.int32_t, dim, capacity C.int64_t, replace C.int32_t) (hnswlib.Options, error) {
	metric, err := metric(space)
	return hnswlib.Options{
		Dim: int(dim), Metric: metric, Capacity: int(capacity), FixedCapacity: true, ReplaceDelete: replace != 0,
		Codes: shale.AutoCodes(int(dim)),
	}, err
}

//export goGraphLoad
func goGraphLoad(path *C.char, space C.int32_t, dim, capacity C.int64_t, replace C.int32_t, out, job *C.int64_t) status {
	name := C.GoString(path)
	return perform(job, func(ctx context.Context) error {
		o, err := fileOptions(space, dim, capacity, replace)
		if err != nil {
			return err
		}
		x, err := hnswlib.Read(ctx, name, o)
		if err != nil {
			return err
		}
		*out = table.add(ofGraph(x))
		return nil
	})
}

//export goGraphFileSize
func goGraphFileSize(h C.int64_t, size *C.int64_t) status {
	return do(func() error {
		x, err := graphOf(h)
		if err != nil {
			return err
		}
		n, err := hnswlib.Size(x)
		*size = C.int64_t(n)
		return err
	})
}

//export goGraphMark
func goGraphMark(h C.int64_t, label C.uint64_t, deleted C.int32_t) status {
	return do(func() error {
		x, err := graphOf(h)
		switch {
		case err != nil:
			return err
		case deleted != 0:
			return x.Delete(uint64(label))
		}
		return x.Undelete(uint64(label))
	})
}

//export goGraphResize
func goGraphResize(h, capacity C.int64_t) status {
	return do(func() error {
		x, err := graphOf(h)
		if err != nil {
			return err
		}
		return x.Resize(int(capacity))
	})
}

//export goSave
func goSave(h C.int64_t, path *C.char, job *C.int64_t) status {
	name := C.GoString(path)
	return perform(job, func(ctx context.Context) error {
		x, err := object[*index](h)
		switch {
		case err != nil:
			return err
		case x.graph != nil:
			return hnswlib.Write(ctx, name, x.graph)
		}
		return hnswlib.WriteFlat(ctx, name, x.flat)
	})
}

//export goCountFrom
func goCountFrom(h C.int64_t, next C.uint64_t) status {
	return do(func() error {
		x, err := object[*index](h)
		if err != nil {
			return err
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		x.next = max(x.next, uint64(next))
		return nil
	})
}

//export goStat
func goStat(h C.int64_t, fields *C.int64_t) status {
	return do(func() error {
		x, err := object[*index](h)
		if err != nil {
			return err
		}
		c, f := x.Config(), view[C.int64_t](ptr(fields), C.SHALE_STAT_FIELDS)
		f[C.SHALE_STAT_CAPACITY] = C.int64_t(x.Capacity())
		f[C.SHALE_STAT_COUNT] = C.int64_t(x.Len())
		f[C.SHALE_STAT_DELETED] = C.int64_t(x.Deleted())
		f[C.SHALE_STAT_M] = C.int64_t(c.M)
		f[C.SHALE_STAT_EF_CONSTRUCTION] = C.int64_t(c.EfConstruction)
		f[C.SHALE_STAT_NEXT] = C.int64_t(x.upcoming())
		f[C.SHALE_STAT_REPLACING] = 0
		if c.ReplaceDelete {
			f[C.SHALE_STAT_REPLACING] = 1
		}
		f[C.SHALE_STAT_DIM] = C.int64_t(c.Dim)
		f[C.SHALE_STAT_EXTERNAL] = 0
		if c.Storage == vector.External {
			f[C.SHALE_STAT_EXTERNAL] = 1
		}
		return nil
	})
}
