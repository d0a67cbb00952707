package main

/*
#include "shale.h"
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
	"unsafe"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// engine is what an index is made of. Its methods may be called from many goroutines at once.
type engine interface {
	Dim() int
	SearchInto(dst []search.Neighbor, query []float32, k int, o search.Options) ([]search.Neighbor, error)
	SearchBatchInto(ctx context.Context, queries vector.Matrix, out *search.Results, o search.Options) error
	Close() error

	// effort returns the options of a search for k results, given those of the call.
	effort(o search.Options, k int) search.Options
	stat() statistics
	// all returns all labels, those of deleted rows included as far as the engine knows them; findable returns those that
	// a search may find.
	all() ([]uint64, error)
	findable() ([]uint64, error)
	// LargestLabel returns the largest label, those of deleted rows included; ok is false if there is none.
	LargestLabel() (label uint64, ok bool, err error)
	vectors(labels []uint64, dst []float32) error
	contains(labels []uint64, found []bool) error
	// freeze holds changes back until release is called, and describes the index to a child of fork.
	freeze(patience time.Duration) (s indexState, release func(), err error)
}

// Engines that can be changed have these methods.
type (
	adder interface {
		add(ctx context.Context, a *addition) error
	}
	marker interface {
		// mark deletes labels or brings them back, as many of them as it can be done for.
		mark(labels []uint64, deleted, ignoreMissing bool) error
	}
	resizer interface{ Resize(capacity int) error }
	saver   interface {
		save(ctx context.Context, path string, o saveOptions) error
	}
)

// statistics are numbers that are at hand at any time.
type statistics struct {
	capacity, count, deleted, m, efConstruction int
	replacing, external, changeable             bool
	next                                        uint64
}

// addition is a call of shale_add.
type addition struct {
	rows     vector.Matrix
	attached bool // the rows are those attached
	n        int
	labels   []uint64
	assign   bool
	o        hnsw.BatchOptions
}

// index is what the handle of an index names.
type index struct {
	engine
	met labelsMet

	changing sync.RWMutex // held by changes, and by what must not meet any
	moved    bool         // another index has taken its place under its handle
}

func addIndex(e engine) C.int64_t { return table.add(&index{engine: e}) }

// ability returns the index that h names as one that can do what T says.
func ability[T any](h C.int64_t) (T, error) {
	x, err := object[*index](h)
	if err != nil {
		var none T
		return none, err
	}
	return able[T](x)
}

func able[T any](x *index) (T, error) {
	t, ok := x.engine.(T)
	if !ok {
		return t, shale.ErrReadOnly
	}
	return t, nil
}

// change makes a change to the index that h names.
func change(h C.int64_t, fn func(x *index) error) error {
	for {
		x, err := object[*index](h)
		if err != nil {
			return err
		}
		if moved, err := x.change(fn); !moved {
			return err
		}
	}
}

func (x *index) change(fn func(x *index) error) (moved bool, err error) {
	x.changing.RLock()
	defer x.changing.RUnlock()
	if x.moved {
		return true, nil
	}
	return false, fn(x)
}

//export goAdd
func goAdd(h C.int64_t, rows unsafe.Pointer, typ C.int32_t, count, dim C.int64_t, labels *C.uint64_t, assign C.int32_t,
	threads C.int64_t, replace C.int32_t, progress C.int64_t, job *C.int64_t) status {
	return perform(job, func(ctx context.Context) error {
		a := &addition{
			attached: typ == C.SHALE_ATTACHED, n: int(count), labels: view[uint64](ptr(labels), count), assign: assign != 0,
			o: hnsw.BatchOptions{Threads: int(threads), AddOptions: hnsw.AddOptions{ReplaceDeleted: replace != 0}},
		}
		var err error
		if !a.attached {
			if a.rows, err = matrix(rows, typ, count, dim); err != nil {
				return err
			}
		}
		p, err := progressOf(progress)
		if err != nil {
			return err
		}
		a.o.Progress = func(done int) { p.set("adding", done, a.n) }
		return change(h, func(x *index) error { return x.add(ctx, a) })
	})
}

func (x *index) add(ctx context.Context, a *addition) error {
	e, err := able[adder](x)
	switch {
	case err != nil:
		return err
	case a.n < 0:
		return valueError("%d rows", a.n)
	case a.labels == nil && !a.assign && a.n > 0:
		return valueError("rows without labels")
	case !a.attached && a.rows.Dim() != x.Dim():
		return fmt.Errorf("%w: the vectors have %d values, the index has %d", vector.ErrDim, a.rows.Dim(), x.Dim())
	}
	if a.labels == nil {
		a.labels = make([]uint64, a.n)
	}
	if !a.assign {
		x.met.add(a.labels)
		return e.add(ctx, a)
	}
	err = e.add(ctx, a)
	x.met.add(a.labels)
	return err
}

// follow fills labels with those from first on.
func follow(labels []uint64, first uint64) {
	for i := range labels {
		labels[i] = first + uint64(i)
	}
}

//export goMark
func goMark(h C.int64_t, labels *C.uint64_t, count C.int64_t, deleted, ignoreMissing C.int32_t) status {
	return do(func() error {
		return change(h, func(x *index) error {
			m, err := able[marker](x)
			if err != nil {
				return err
			}
			return m.mark(view[uint64](ptr(labels), count), deleted != 0, ignoreMissing != 0)
		})
	})
}

//export goResize
func goResize(h, capacity C.int64_t) status {
	return do(func() error {
		return change(h, func(x *index) error {
			r, err := able[resizer](x)
			if err != nil {
				return err
			}
			return r.Resize(int(capacity))
		})
	})
}

//export goVectors
func goVectors(h C.int64_t, labels *C.uint64_t, count C.int64_t, out *C.float) status {
	return do(func() error {
		x, err := object[*index](h)
		if err != nil {
			return err
		}
		return x.vectors(view[uint64](ptr(labels), count), view[float32](ptr(out), count*C.int64_t(x.Dim())))
	})
}

//export goLabels
func goLabels(h C.int64_t, deleted C.int32_t, out *C.uint64_t, count *C.int64_t) status {
	return do(func() error {
		x, err := object[*index](h)
		if err != nil {
			return err
		}
		list := x.findable
		if deleted != 0 {
			list = x.all
		}
		labels, err := list()
		if err != nil {
			return err
		}
		copy(view[uint64](ptr(out), *count), labels)
		*count = C.int64_t(len(labels))
		return nil
	})
}

//export goContains
func goContains(h C.int64_t, labels *C.uint64_t, count C.int64_t, found *C.uint8_t) status {
	return do(func() error {
		x, err := object[*index](h)
		if err != nil {
			return err
		}
		return x.contains(view[uint64](ptr(labels), count), view[bool](ptr(found), count))
	})
}

//export goStat
func goStat(h C.int64_t, out *C.struct_shale_stat) status {
	return do(func() error {
		x, err := object[*index](h)
		if err != nil {
			return err
		}
		s := x.stat()
		*out = C.struct_shale_stat{
			capacity: C.int64_t(s.capacity), count: C.int64_t(s.count), deleted: C.int64_t(s.deleted), dim: C.int64_t(x.Dim()),
			m: C.int64_t(s.m), ef_construction: C.int64_t(s.efConstruction), replacing: number(s.replacing),
			external: number(s.external), changeable: number(s.changeable), next: C.int64_t(s.next),
		}
		return nil
	})
}

func number(yes bool) C.int64_t {
	if yes {
		return 1
	}
	return 0
}

//export goSave
func goSave(h C.int64_t, path, options *C.char, job *C.int64_t) status {
	name, text := C.GoString(path), C.GoString(options)
	return perform(job, func(ctx context.Context) error {
		o, err := decode[saveOptions](text)
		if err != nil {
			return err
		}
		x, err := object[*index](h)
		if err != nil {
			return err
		}
		s, ok := x.engine.(saver)
		if !ok {
			return errors.New("an index of shards that hnswlib-mmap wrote can't be saved: its files are the index")
		}
		return s.save(ctx, name, o)
	})
}
