package main

/*
#include "root.h"
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/vector"
)

// rootIndex is an index of the root package.
type rootIndex struct {
	*shale.Index
	path    string // that it was opened from, and how
	options shale.OpenOptions

	top top

	changing sync.RWMutex // held by changes, and by what must not meet any
	moved    bool         // another has taken its place under its handle
}

// change makes a change to the index that h names.
func change(h C.int64_t, fn func(x *rootIndex) error) error {
	for {
		x, err := object[*rootIndex](h)
		if err != nil {
			return err
		}
		if moved, err := x.change(fn); !moved {
			return err
		}
	}
}

func (x *rootIndex) change(fn func(x *rootIndex) error) (moved bool, err error) {
	x.changing.RLock()
	defer x.changing.RUnlock()
	if x.moved {
		return true, nil
	}
	return false, fn(x)
}

//export goIndexNew
func goIndexNew(dim C.int64_t, options *C.char, out *C.int64_t) status {
	return rootDo(func() error {
		l, err := decode[layoutOptions](C.GoString(options))
		if err != nil {
			return err
		}
		o, err := l.options()
		if err != nil {
			return err
		}
		x, err := shale.New(int(dim), o)
		if err != nil {
			return err
		}
		*out = table.add(&rootIndex{Index: x})
		return nil
	})
}

//export goIndexOpen
func goIndexOpen(path, options *C.char, out, job *C.int64_t) status {
	name, text := C.GoString(path), C.GoString(options)
	return rootPerform(job, func(ctx context.Context) error {
		p, err := decode[openOptions](text)
		if err != nil {
			return err
		}
		o, err := p.options()
		if err != nil {
			return err
		}
		x, err := shale.Open(ctx, name, o)
		if err != nil {
			return err
		}
		*out = table.add(&rootIndex{Index: x, path: name, options: o})
		return nil
	})
}

//export goIndexAdd
func goIndexAdd(h C.int64_t, rows unsafe.Pointer, typ C.int32_t, count, dim C.int64_t, labels *C.uint64_t, assign C.int32_t, threads, progress C.int64_t, job *C.int64_t) status {
	return rootPerform(job, func(ctx context.Context) error {
		m, err := matrix(rows, typ, count, dim)
		if err != nil {
			return err
		}
		p, err := progressOf(progress)
		if err != nil {
			return err
		}
		under := view[uint64](ptr(labels), count)
		return change(h, func(x *rootIndex) error { return x.add(ctx, m, under, assign != 0, int(threads), p) })
	})
}

// add adds rows under labels, or under those that follow the largest one, which are then written there.
func (x *rootIndex) add(ctx context.Context, rows vector.Matrix, under []uint64, assign bool, threads int, p *progress) error {
	switch {
	case len(under) == 0:
		return nil
	case rows.Dim() != x.Dim():
		return fmt.Errorf("%w: the vectors have %d values, the index has %d", vector.ErrDim, rows.Dim(), x.Dim())
	case assign:
		first, err := x.ReserveLabels(len(under))
		if err != nil {
			return err
		}
		for i := range under {
			under[i] = first + uint64(i)
		}
	}
	x.top.met(under)
	return x.AddBatch(ctx, rows, shale.AddOptions{
		Labels: under, Threads: threads, Progress: func(done int) { p.set("adding", done, len(under)) },
	})
}

//export goIndexMark
func goIndexMark(h C.int64_t, labels *C.uint64_t, count C.int64_t, deleted C.int32_t) status {
	return rootDo(func() error {
		return change(h, func(x *rootIndex) error {
			if deleted != 0 {
				return x.Delete(view[uint64](ptr(labels), count)...)
			}
			return x.Undelete(view[uint64](ptr(labels), count)...)
		})
	})
}

//export goIndexLabels
func goIndexLabels(h C.int64_t, out *C.uint64_t, count *C.int64_t) status {
	return rootDo(func() error {
		x, err := object[*rootIndex](h)
		if err != nil {
			return err
		}
		labels, err := x.labels()
		if err != nil {
			return err
		}
		copy(view[uint64](ptr(out), *count), labels)
		*count = C.int64_t(len(labels))
		return nil
	})
}

// labels are those that a search may find.
func (x *rootIndex) labels() ([]uint64, error) {
	if x.Graph() == nil {
		return x.Shards().Findable()
	}
	return x.Graph().Findable()
}

//export goIndexVectors
func goIndexVectors(h C.int64_t, labels *C.uint64_t, count C.int64_t, out *C.float) status {
	return rootDo(func() error {
		x, err := object[*rootIndex](h)
		if err != nil {
			return err
		}
		dim := x.Dim()
		wanted, vectors := view[uint64](ptr(labels), count), view[float32](ptr(out), count*C.int64_t(dim))
		if x.Graph() == nil {
			return x.readVectors(wanted, vectors)
		}
		for i, label := range wanted {
			if err := x.Graph().Vector(label, vectors[i*dim:(i+1)*dim]); err != nil {
				return fmt.Errorf("label %d: %w", label, err)
			}
		}
		return nil
	})
}

// readVectors reads all rows of an index that can't be changed for the vectors of some labels.
func (x *rootIndex) readVectors(wanted []uint64, vectors []float32) error {
	places := make(map[uint64][]int, len(wanted))
	for i, label := range wanted {
		places[label] = append(places[label], i)
	}
	dim, enough := x.Dim(), errors.New("enough")
	err := x.Shards().EachVector(context.Background(), func(labels []uint64, rows vector.Matrix) error {
		for row, label := range labels {
			for _, i := range places[label] {
				rows.Decode(row, vectors[i*dim:(i+1)*dim])
			}
			delete(places, label)
		}
		if len(places) == 0 {
			return enough
		}
		return nil
	})
	if err != nil && !errors.Is(err, enough) {
		return err
	}
	for label := range places {
		return fmt.Errorf("label %d: %w", label, hnsw.ErrLabel)
	}
	return nil
}

//export goIndexSave
func goIndexSave(h C.int64_t, path, options *C.char, job *C.int64_t) status {
	name, text := C.GoString(path), C.GoString(options)
	return rootPerform(job, func(ctx context.Context) error {
		x, err := object[*rootIndex](h)
		if err != nil {
			return err
		}
		s, err := decode[saveOptions](text)
		if err != nil {
			return err
		}
		if s.Tuned {
			return x.SaveTuned(name)
		}
		o, err := s.options()
		if err != nil {
			return err
		}
		return x.Save(ctx, name, o)
	})
}

// rootInfo is shale.Info and whether the index can be changed.
type rootInfo struct {
	shale.Info
	Changeable bool `json:"changeable"`
}

//export goIndexInfo
func goIndexInfo(h C.int64_t, out *C.int64_t) status {
	return rootDo(func() error {
		x, err := object[*rootIndex](h)
		if err != nil {
			return err
		}
		info, err := x.Info()
		if err != nil {
			return err
		}
		changeable := x.Graph() != nil || x.Shards().Changeable() == nil
		return report(rootInfo{info, changeable}, out)
	})
}
