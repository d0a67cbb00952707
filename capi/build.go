package main

/*
#include "shale.h"
*/
import "C"

import (
	"context"
	"unsafe"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/datafile"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/vector"
)

// source gives the rows to build of, and their labels.
func source(p unsafe.Pointer, bounded bool) (shale.Source, []uint64, error) {
	s := (*C.struct_shale_source)(p)
	labels := view[uint64](ptr(s.labels), s.label_count)
	if s.rows == nil {
		f, err := datafile.Open(C.GoString(s.path))
		return f, labels, err
	}
	rows, err := matrix(s.rows, C.int32_t(s._type), s.count, s.dim)
	if err != nil {
		return nil, nil, err
	}
	if id := C.GoString(s.id); id != "" && bounded {
		return mappedRows{rows, id}, labels, nil
	}
	return rows, labels, nil
}

// mappedRows are rows in a file mapped for reading only. Each block is given back once it was read, so that it isn't
// part of the build's memory.
type mappedRows struct {
	vector.Matrix
	id string
}

// ID distinguishes the file from others, and from itself once it has changed.
func (m mappedRows) ID() string { return m.id + " " + shard.SampleSum(m.Matrix) }

// Blocks implements shale.Source.
func (m mappedRows) Blocks(ctx context.Context, fn func(first int, rows vector.Matrix) error) error {
	return m.Matrix.Blocks(ctx, func(first int, rows vector.Matrix) error {
		err := fn(first, rows)
		if n := rows.Rows(); n > 0 {
			mmap.GiveBack(unsafe.Slice(unsafe.SliceData(rows.RowBytes(0)), n*rows.Stride()))
		}
		return err
	})
}

//export goBuild
func goBuild(from unsafe.Pointer, output, options *C.char, progress C.int64_t, out, job *C.int64_t) status {
	path, text := C.GoString(output), C.GoString(options)
	return perform(job, func(ctx context.Context) error {
		p, err := progressOf(progress)
		if err != nil {
			return err
		}
		o, src, err := buildOf(from, path, text)
		if err != nil {
			return err
		}
		if path == "" && (o.Memory > 0 || o.Shards > 1 || o.Blocks) {
			return valueError("memory, shards and blocks are those of an index on disk")
		}
		o.Progress = p.set
		x, err := shale.Build(ctx, src, o)
		if err == nil {
			*out = addIndex(&rooted{Index: x, path: path, options: shale.OpenOptions{Memory: o.Memory}})
		}
		return err
	})
}

// buildOf returns what to build, and how.
func buildOf(from unsafe.Pointer, path, options string) (shale.BuildOptions, shale.Source, error) {
	b, err := decode[buildOptions](options)
	if err != nil {
		return shale.BuildOptions{}, nil, err
	}
	o, err := b.options()
	if err != nil {
		return o, nil, err
	}
	o.Path = path
	src, labels, err := source(from, o.Memory > 0)
	if err == nil && labels != nil && len(labels) != src.Rows() {
		err = valueError("%d labels for %d vectors", len(labels), src.Rows())
	}
	o.Labels = labels
	return o, src, err
}

//export goPlan
func goPlan(from unsafe.Pointer, output, options *C.char, out *C.int64_t) status {
	path, text := C.GoString(output), C.GoString(options)
	return do(func() error {
		o, src, err := buildOf(from, path, text)
		if err != nil {
			return err
		}
		plan, err := shale.NewPlan(context.Background(), src, o)
		if err != nil {
			return err
		}
		return report(plan, out)
	})
}

// verified is shale.Report with problems as text.
type verified struct {
	Rows        int      `json:"rows"`
	Reachable   int      `json:"reachable"`
	Unreachable int      `json:"unreachable"`
	Problems    []string `json:"problems"`
}

//export goVerify
func goVerify(path *C.char, out, job *C.int64_t) status {
	name := C.GoString(path)
	return perform(job, func(ctx context.Context) error {
		r, err := shale.Verify(ctx, name)
		if err != nil {
			return err
		}
		v := verified{Rows: r.Rows, Reachable: r.Reachable, Unreachable: r.Unreachable, Problems: []string{}}
		for _, p := range r.Problems {
			v.Problems = append(v.Problems, p.Error())
		}
		return report(v, out)
	})
}
