package main

/*
#include "shale.h"
*/
import "C"

import (
	"context"
	"time"
	"unsafe"

	"github.com/shale-search/shale/collection"
	"github.com/shale-search/shale/vector"
)

// schemaOptions say what the documents of a collection hold.
type schemaOptions struct {
	Vectors []vectorOptions           `json:"vectors"`
	Indexes []collection.PayloadIndex `json:"indexes,omitempty"`
}

// vectorOptions describe one vector: see collection.Vector.
type vectorOptions struct {
	Name           string `json:"name"`
	Dim            int    `json:"dim"`
	Metric         string `json:"metric"`
	Codes          string `json:"codes"`
	Rows           string `json:"rows"`
	M              int    `json:"m"`
	EfConstruction int    `json:"ef_construction"`
}

// collectionOptions say how to use a collection: see collection.Options.
type collectionOptions struct {
	SegmentRows  int   `json:"segment_rows"`
	MergeThreads int   `json:"merge_threads"`
	Memory       int64 `json:"memory"`
	SyncWindow   int64 `json:"sync_window"` // in nanoseconds
}

func (s *schemaOptions) schema() (collection.Schema, error) {
	out := collection.Schema{Indexes: s.Indexes}
	for _, v := range s.Vectors {
		l := layoutOptions{Metric: v.Metric, Codes: v.Codes, Rows: v.Rows}
		if l.Metric == "" {
			l.Metric = vector.L2.String()
		}
		o, err := l.options()
		if err != nil {
			return out, err
		}
		out.Vectors = append(out.Vectors, collection.Vector{
			Name: v.Name, Dim: v.Dim, Metric: o.Metric, Codes: o.Codes, Rows: o.Rows, M: v.M,
			EfConstruction: v.EfConstruction,
		})
	}
	return out, nil
}

//export goCollectionCreate
func goCollectionCreate(dir, options *C.char) status {
	path, text := C.GoString(dir), C.GoString(options)
	return do(func() error {
		o, err := decode[schemaOptions](text)
		if err != nil {
			return err
		}
		s, err := o.schema()
		if err != nil {
			return err
		}
		return collection.Create(path, s)
	})
}

//export goCollectionOpen
func goCollectionOpen(dir, options *C.char, out, job *C.int64_t) status {
	path, text := C.GoString(dir), C.GoString(options)
	return perform(job, func(ctx context.Context) error {
		o, err := decode[collectionOptions](text)
		if err != nil {
			return err
		}
		c, err := collection.Open(ctx, path, collection.Options{
			SegmentRows: o.SegmentRows, MergeThreads: o.MergeThreads, Memory: o.Memory,
			SyncWindow: time.Duration(o.SyncWindow),
		})
		if err != nil {
			return err
		}
		*out = table.add(c)
		return nil
	})
}

// verifyReport is what verifying found.
type verifyReport struct {
	Documents int      `json:"documents"`
	Segments  int      `json:"segments"`
	Problems  []string `json:"problems"`
}

//export goCollectionVerify
func goCollectionVerify(dir *C.char, out, job *C.int64_t) status {
	path := C.GoString(dir)
	return perform(job, func(ctx context.Context) error {
		r, err := collection.Verify(ctx, path, collection.Options{})
		if err != nil {
			return err
		}
		problems := make([]string, len(r.Problems))
		for i, p := range r.Problems {
			problems[i] = p.Error()
		}
		return report(verifyReport{r.Documents, r.Segments, problems}, out)
	})
}

//export goCollectionRestore
func goCollectionRestore(snapshot, dir *C.char, job *C.int64_t) status {
	from, to := C.GoString(snapshot), C.GoString(dir)
	return perform(job, func(ctx context.Context) error { return collection.Restore(ctx, from, to) })
}

// namedRows are rows of one of the vectors that documents have: struct shale_rows.
type namedRows struct {
	name   string
	rows   vector.Matrix
	places []int64 // of the documents they belong to; nil: row i is that of document i
}

func rowsOf(p unsafe.Pointer, count C.int64_t) ([]namedRows, error) {
	var all []namedRows
	for _, r := range view[C.struct_shale_rows](p, count) {
		rows, err := matrix(r.rows, C.int32_t(r._type), r.count, r.dim)
		if err != nil {
			return nil, err
		}
		n := namedRows{name: C.GoString(r.name), rows: rows}
		if r.places != nil {
			n.places = view[int64](ptr(r.places), r.count)
		}
		all = append(all, n)
	}
	return all, nil
}

// row returns row i as float32.
func (n *namedRows) row(i int) []float32 {
	if n.rows.Type() == vector.Float32 {
		return vector.Row[float32](n.rows, i)
	}
	row := make([]float32, n.rows.Dim())
	n.rows.Decode(i, row)
	return row
}

// answered is what an operation has found: a text, and vectors beside it, which JSON would make slow.
type answered struct {
	text
	vectors []float32
}

//export goCollectionDo
func goCollectionDo(h C.int64_t, operation, arguments *C.char, rows unsafe.Pointer, count C.int64_t,
	out, job *C.int64_t) status {
	name, text := C.GoString(operation), C.GoString(arguments)
	return perform(job, func(ctx context.Context) error {
		c, err := object[*collection.Collection](h)
		if err != nil {
			return err
		}
		fn, ok := operations[name]
		if !ok {
			return valueError("there is no operation %q", name)
		}
		given, err := rowsOf(rows, count)
		if err != nil {
			return err
		}
		found, err := fn(ctx, c, text, given)
		if err == nil && found != nil {
			*out = table.add(found)
		}
		return err
	})
}

//export goAnswerVectors
func goAnswerVectors(h C.int64_t, out *C.float, count *C.int64_t) status {
	return do(func() error {
		a, err := object[*answered](h)
		if err != nil {
			return err
		}
		copy(view[float32](ptr(out), *count), a.vectors)
		*count = C.int64_t(len(a.vectors))
		return nil
	})
}
