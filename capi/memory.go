package main

/*
#include "shale.h"
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"sync"
	"time"

	"github.com/shale-search/shale/internal/errlist"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/hnswlib"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// memory is what a graph and a flat index have in common.
type memory interface {
	Dim() int
	Len() int
	Capacity() int
	Config() hnsw.Config
	Deleted() int
	Labels() ([]uint64, error)
	LargestLabel() (label uint64, ok bool, err error)
	Vector(label uint64, dst []float32) error
	Delete(label uint64) error
	Resize(capacity int) error
	AddBatch(ctx context.Context, rows vector.Matrix, labels []uint64, o hnsw.BatchOptions) error
	SearchInto(dst []search.Neighbor, query []float32, k int, o search.Options) ([]search.Neighbor, error)
	SearchBatchInto(ctx context.Context, queries vector.Matrix, out *search.Results, o search.Options) error
	Hold(patience time.Duration) (*hnsw.Memory, func(), error)
	Close() error
}

// plain is a graph or a flat index as hnswlib has them: of fixed capacity, with default labels that count the rows
// added.
type plain struct {
	memory
	graph *hnsw.Index // nil, or the same as memory

	mu   sync.Mutex
	next uint64 // number of rows added so far: the label of the next one that has none
}

func ofGraph(x *hnsw.Index) *plain { return &plain{memory: x, graph: x, next: uint64(x.Len())} }

func ofFlat(f *hnsw.Flat) *plain { return &plain{memory: f, next: uint64(f.Len())} }

var errNoGraph = errors.New("an index without a graph has no use for that")

// graphOf returns the graph that h names, one of hnswlib's kind.
func graphOf(h C.int64_t) (*hnsw.Index, error) {
	x, err := object[*index](h)
	if err != nil {
		return nil, err
	}
	p, ok := x.engine.(*plain)
	if !ok || p.graph == nil {
		return nil, errNoGraph
	}
	return p.graph, nil
}

// spare is the number of candidates held beside ef where walks read codes: their order is a little off, which at an ef
// near k would cost true neighbours that hnswlib finds.
const spare = 8

func (x *plain) effort(o search.Options, k int) search.Options {
	o.Ef = min(max(o.Ef, k), math.MaxInt32) // which is above any number of rows
	if x.Config().Codes.Bits != 0 {
		o.Ef += spare
	}
	return o
}

func (x *plain) stat() statistics {
	c := x.Config()
	return statistics{
		capacity: x.Capacity(), count: x.Len(), deleted: x.Deleted(), m: c.M, efConstruction: c.EfConstruction,
		replacing: c.ReplaceDelete, external: c.Storage == rowtype.External, changeable: true, next: x.upcoming(),
	}
}

func (x *plain) all() ([]uint64, error) { return x.Labels() }

func (x *plain) findable() ([]uint64, error) {
	if x.graph != nil {
		return x.graph.Findable()
	}
	return x.Labels()
}

func (x *plain) vectors(labels []uint64, dst []float32) error {
	return vectorsOf(x.memory, labels, dst)
}

// vectorsOf reads the vectors of labels one after another.
func vectorsOf(x interface {
	Dim() int
	Vector(label uint64, dst []float32) error
}, labels []uint64, dst []float32) error {
	dim := x.Dim()
	for i, label := range labels {
		if err := x.Vector(label, dst[i*dim:(i+1)*dim]); err != nil {
			return fmt.Errorf("label %d: %w", label, err)
		}
	}
	return nil
}

func (x *plain) contains(labels []uint64, found []bool) error {
	return containsOf(x.memory, labels, found)
}

func containsOf(x interface {
	Dim() int
	Vector(label uint64, dst []float32) error
}, labels []uint64, found []bool) error {
	row := make([]float32, x.Dim())
	for i, label := range labels {
		err := x.Vector(label, row)
		found[i] = err == nil || errors.Is(err, hnsw.ErrNoRows) // which is there, and its row isn't attached
		if !found[i] && !errors.Is(err, hnsw.ErrLabel) {
			return err
		}
	}
	return nil
}

func (x *plain) add(ctx context.Context, a *addition) error {
	n := uint64(a.n)
	first := x.reserve(n)
	if a.assign {
		follow(a.labels, first)
	}
	err := x.addRows(ctx, a)
	if err != nil {
		x.giveBack(first, n)
	}
	return err
}

func (x *plain) addRows(ctx context.Context, a *addition) error {
	switch {
	case !a.attached:
		return x.AddBatch(ctx, a.rows, a.labels, a.o)
	case x.graph == nil:
		return errNoGraph
	}
	return x.graph.AddAttached(ctx, a.n, a.labels, a.o)
}

// upcoming returns the label of the next row that has none.
func (x *plain) upcoming() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.next
}

// reserve takes the next n labels.
func (x *plain) reserve(n uint64) uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.next += n
	return x.next - n
}

// giveBack takes back a reservation that failed, unless others followed.
func (x *plain) giveBack(first, n uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.next == first+n {
		x.next = first
	}
}

//export goCountFrom
func goCountFrom(h C.int64_t, next C.uint64_t) status {
	return do(func() error {
		x, err := object[*index](h)
		if err != nil {
			return err
		}
		p, ok := x.engine.(*plain)
		if !ok {
			return valueError("the labels of this index don't count the rows added")
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.next = max(p.next, uint64(next))
		return nil
	})
}

// mark deletes rows of a flat index for good.
func (x *plain) mark(labels []uint64, deleted, ignoreMissing bool) error {
	change := x.Delete
	if !deleted {
		if x.graph == nil {
			return errNoGraph
		}
		change = x.graph.Undelete
	}
	var failed errlist.List
	for _, label := range labels {
		err := change(label)
		if ignoreMissing && (errors.Is(err, hnsw.ErrLabel) || errors.Is(err, hnsw.ErrDeleted)) {
			continue
		}
		failed.Add(err)
	}
	return failed.Err()
}

func (x *plain) save(ctx context.Context, path string, o saveOptions) error {
	if there, err := store.Detect(path); err == nil && there == store.Live {
		return fmt.Errorf("%s: %w: a live file, which changes in place and isn't saved over: give another name",
			path, fs.ErrExist)
	}
	switch {
	case o.Format == "graph" && x.graph != nil:
		return hnswlib.WriteGraph(ctx, path, x.graph)
	case o.Format != "hnswlib":
		return valueError("format %q is not hnswlib or graph", o.Format)
	case x.graph != nil:
		return hnswlib.Write(ctx, path, x.graph)
	}
	return hnswlib.WriteFlat(ctx, path, x.memory.(*hnsw.Flat))
}

func (x *plain) freeze(patience time.Duration) (indexState, func(), error) {
	m, release, err := x.Hold(patience)
	if err != nil {
		return indexState{}, nil, err
	}
	return indexState{Memory: m, Graph: x.graph != nil, Next: x.upcoming()}, release, nil
}
