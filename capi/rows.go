package main

/*
#include "shale.h"
*/
import "C"

import (
	"context"
	"math"
	"unsafe"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/vector"
)

// ptr is p as an untyped pointer.
func ptr[T any](p *T) unsafe.Pointer { return unsafe.Pointer(p) }

// matrix views count rows of dim elements at p.
func matrix(p unsafe.Pointer, typ C.int32_t, count, dim C.int64_t) (vector.Matrix, error) {
	if count < 0 || dim < 1 || dim > math.MaxInt32 || count > math.MaxInt64/4/dim {
		return vector.Matrix{}, valueError("rows of shape %d × %d", int64(count), int64(dim))
	}
	switch typ {
	case C.SHALE_FLOAT32:
		return vector.Of(view[float32](p, count*dim), int(dim))
	case C.SHALE_FLOAT16:
		return vector.Of(view[uint16](p, count*dim), int(dim))
	}
	return vector.Matrix{}, valueError("rows of type %d", int(typ))
}

//export goAdd
func goAdd(h C.int64_t, rows unsafe.Pointer, typ C.int32_t, count, dim C.int64_t, labels *C.uint64_t, threads, replace C.int32_t, job *C.int64_t) status {
	return perform(job, func(ctx context.Context) error {
		x, err := object[*index](h)
		if err != nil {
			return err
		}
		m, err := matrix(rows, typ, count, dim)
		if err != nil {
			return err
		}
		o := hnsw.BatchOptions{Threads: int(threads), AddOptions: hnsw.AddOptions{ReplaceDeleted: replace != 0}}
		return x.adding(uint64(m.Rows()), view[uint64](ptr(labels), count), func(labels []uint64) error {
			return x.AddBatch(ctx, m, labels, o)
		})
	})
}

// adding adds n rows under labels or, where they are nil, under those that follow the number of rows added so far.
func (x *index) adding(n uint64, labels []uint64, add func(labels []uint64) error) error {
	first := x.reserve(n)
	if labels == nil {
		labels = make([]uint64, n)
		for i := range labels {
			labels[i] = first + uint64(i)
		}
	}
	x.top.met(labels)
	err := add(labels)
	if err != nil {
		x.giveBack(first, n)
	}
	return err
}

// upcoming is the label of the next row that has none.
func (x *index) upcoming() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.next
}

// reserve takes the next n labels.
func (x *index) reserve(n uint64) uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.next += n
	return x.next - n
}

// giveBack takes back a reservation that failed, unless others followed.
func (x *index) giveBack(first, n uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.next == first+n {
		x.next = first
	}
}

//export goVectors
func goVectors(h C.int64_t, labels *C.uint64_t, count C.int64_t, out *C.float) status {
	return do(func() error {
		x, err := object[*index](h)
		if err != nil {
			return err
		}
		dim := x.Dim()
		vectors := view[float32](ptr(out), count*C.int64_t(dim))
		for i, label := range view[uint64](ptr(labels), count) {
			if err := x.Vector(label, vectors[i*dim:(i+1)*dim]); err != nil {
				return err
			}
		}
		return nil
	})
}

//export goLabels
func goLabels(h C.int64_t, out *C.uint64_t, count *C.int64_t) status {
	return do(func() error {
		x, err := object[*index](h)
		if err != nil {
			return err
		}
		labels, err := x.Labels()
		if err != nil {
			return err
		}
		copy(view[uint64](ptr(out), *count), labels)
		*count = C.int64_t(len(labels))
		return nil
	})
}
