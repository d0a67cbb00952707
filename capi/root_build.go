package main

/*
#include "root.h"
*/
import "C"

import (
	"context"
	"crypto/sha256"
	"fmt"
	"runtime/debug"
	"unsafe"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/dataset"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/vector"
)

// source gives the rows to build of, and their labels.
func source(p unsafe.Pointer, bounded, resumable bool) (shale.Source, []uint64, error) {
	s := (*C.struct_shale_source)(p)
	labels := view[uint64](ptr(s.labels), s.label_count)
	if s.rows == nil {
		f, err := dataset.OpenFile(C.GoString(s.path))
		return f, labels, err
	}
	rows, err := matrix(s.rows, C.int32_t(s._type), s.count, s.dim)
	if err != nil {
		return nil, nil, err
	}
	id := C.GoString(s.id)
	switch {
	case id != "" && bounded:
		return mappedRows{shale.MatrixSource(rows, id), rows}, labels, nil
	case id == "" && resumable:
		id = sum(rows)
	}
	return shale.MatrixSource(rows, id), labels, nil
}

// mappedRows are rows in a file mapped for reading only. Each block is given back once it was read, so that it isn't part of
// the build's memory.
type mappedRows struct {
	shale.Source
	rows vector.Matrix
}

// Blocks implements shale.Source.
func (m mappedRows) Blocks(ctx context.Context, fn func(first int, rows vector.Matrix) error) error {
	return m.Source.Blocks(ctx, func(first int, rows vector.Matrix) error {
		err := fn(first, rows)
		if n := rows.Rows(); n > 0 {
			mmap.GiveBack(unsafe.Slice(unsafe.SliceData(rows.RowBytes(0)), n*rows.Stride()))
		}
		return err
	})
}

// sum tells rows from others by all that they hold.
func sum(rows vector.Matrix) string {
	h := sha256.New()
	for i := range rows.Rows() {
		h.Write(rows.RowBytes(i))
	}
	return fmt.Sprintf("%d × %d %v %x", rows.Rows(), rows.Dim(), rows.Type(), h.Sum(nil))
}

// heapShare is the part of a build's memory that the Go heap should keep within: blocks of the input and garbage. The
// index lies outside.
const (
	heapShare = 4
	leastHeap = 48 << 20
)

//export goIndexBuild
func goIndexBuild(from unsafe.Pointer, output, options *C.char, progress C.int64_t, out, job *C.int64_t) status {
	path, text := C.GoString(output), C.GoString(options)
	return rootPerform(job, func(ctx context.Context) error {
		p, err := progressOf(progress)
		if err != nil {
			return err
		}
		o, err := shardOptions(text)
		if err != nil {
			return err
		}
		o.Step = p.set
		if out != nil && (o.Memory > 0 || o.Shards > 1 || o.Blocks) {
			return valueError("memory, shards and blocks are those of an index on disk")
		}
		src, labels, err := source(from, o.Memory > 0, o.Memory > 0 || o.Shards > 1 || o.Blocks)
		if err != nil {
			return err
		}
		if labels != nil && len(labels) != src.Rows() {
			return valueError("%d labels for %d vectors", len(labels), src.Rows())
		}
		o.Labels = labels
		if out != nil {
			x, err := shale.BuildFrom(ctx, src, o)
			if err == nil {
				*out = table.add(&rootIndex{Index: x})
			}
			return err
		}
		if o.Memory > 0 {
			defer debug.SetMemoryLimit(debug.SetMemoryLimit(max(leastHeap, o.Memory/heapShare)))
		}
		return shale.BuildTo(ctx, src, path, o)
	})
}

func shardOptions(text string) (shale.ShardOptions, error) {
	b, err := decode[buildOptions](text)
	if err != nil {
		return shale.ShardOptions{}, err
	}
	return b.options()
}

//export goIndexPlan
func goIndexPlan(from unsafe.Pointer, options *C.char, out *C.int64_t) status {
	text := C.GoString(options)
	return rootDo(func() error {
		o, err := shardOptions(text)
		if err != nil {
			return err
		}
		src, labels, err := source(from, false, false)
		if err != nil {
			return err
		}
		o.Labels = labels
		plan, err := shale.PlanBuild(context.Background(), src, o)
		if err != nil {
			return err
		}
		return report(plan, out)
	})
}

// verified is shale.Report with problems as text.
type verified struct {
	Rows      int      `json:"rows"`
	Reachable int      `json:"reachable"`
	Problems  []string `json:"problems"`
}

//export goVerify
func goVerify(path *C.char, out, job *C.int64_t) status {
	name := C.GoString(path)
	return rootPerform(job, func(ctx context.Context) error {
		r, err := shale.Verify(ctx, name)
		if err != nil {
			return err
		}
		v := verified{Rows: r.Rows, Reachable: r.Reachable, Problems: []string{}}
		for _, p := range r.Problems {
			v.Problems = append(v.Problems, p.Error())
		}
		return report(v, out)
	})
}
