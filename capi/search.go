package main

/*
#include "shale.h"
*/
import "C"

import (
	"context"
	"fmt"
	"math"
	"sync"
	"unsafe"

	"github.com/shale-search/shale/hnsw"
	"github.com/shale-search/shale/vector"
)

// query is a call of shale_search.
type query struct {
	x       *index
	rows    vector.Matrix
	k       int
	o       hnsw.BatchSearchOptions
	filters []*filter
	partial bool
	out     hnsw.Results
}

// spare is how many candidates more are kept where walks read codes: their order is a little off, which at an ef near k
// would cost true neighbours that hnswlib finds.
const spare = 8

// candidates is how many to keep for what hnswlib would find with ef.
func (x *index) candidates(ef int) int {
	if x.Config().Codes.Bits != 0 {
		return ef + spare
	}
	return ef
}

// scratch is what a search needs beside the caller's arrays, kept for the next.
type scratch struct {
	found  []hnsw.Neighbor
	query  []float32
	counts []int
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

//export goSearch
func goSearch(h C.int64_t, queries unsafe.Pointer, typ C.int32_t, count, dim, k, ef C.int64_t, threads C.int32_t,
	filters *C.int64_t, filterCount C.int64_t, partial C.int32_t, labels *C.uint64_t, distances *C.float, job *C.int64_t) status {
	q := query{k: int(k), partial: partial != 0}
	q.o.Threads = int(threads)
	if err := q.prepare(h, queries, typ, count, dim, view[C.int64_t](ptr(filters), filterCount)); err != nil {
		return answer(err)
	}
	q.o.Ef = q.x.candidates(max(int(ef), q.k))
	q.out = hnsw.Results{
		K: int(k), Labels: view[uint64](ptr(labels), count*k), Distances: view[float32](ptr(distances), count*k),
	}
	if count == 1 && job == nil {
		return answer(q.one())
	}
	return perform(job, q.all)
}

func (q *query) prepare(h C.int64_t, queries unsafe.Pointer, typ C.int32_t, count, dim C.int64_t, filters []C.int64_t) (err error) {
	if q.x, err = object[*index](h); err != nil {
		return err
	}
	if q.k < 1 || count > math.MaxInt32 || q.k > math.MaxInt32 {
		return valueError("%d queries for k = %d", int64(count), q.k)
	}
	if q.rows, err = matrix(queries, typ, count, dim); err != nil {
		return err
	}
	if q.rows.Dim() != q.x.Dim() {
		return fmt.Errorf("%w: the queries have %d values, the index has %d", vector.ErrDim, q.rows.Dim(), q.x.Dim())
	}
	return q.takeFilters(filters)
}

func (q *query) takeFilters(handles []C.int64_t) error {
	if len(handles) == 0 {
		return nil
	}
	if n := len(handles); n != 1 && n != q.rows.Rows() {
		return valueError("%d filters for %d queries", n, q.rows.Rows())
	}
	list := make([]*hnsw.Filter, len(handles))
	for i, h := range handles {
		if h == 0 {
			continue
		}
		f, err := object[*filter](h)
		if err != nil {
			return err
		}
		q.filters = append(q.filters, f)
		list[i] = f.filter
	}
	if len(list) == 1 {
		q.o.Filter = list[0]
	} else {
		q.o.Filters = list
	}
	return nil
}

// one answers a single query.
func (q *query) one() (err error) {
	defer catch(&err)
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	row := s.query
	if q.rows.Type() == vector.Float32 {
		row = vector.Row[float32](q.rows, 0)
	} else {
		s.query = append(s.query[:0], make([]float32, q.rows.Dim())...)
		row = s.query
		q.rows.Decode(0, row)
	}
	found, err := q.x.SearchInto(s.found[:0], row, q.k, q.o.SearchOptions)
	if err != nil {
		return err
	}
	s.found = found
	var counts [1]int
	q.out.Counts = counts[:]
	q.out.Set(0, found)
	return q.judge()
}

// all answers all queries.
func (q *query) all(ctx context.Context) error {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	if cap(s.counts) < q.rows.Rows() {
		s.counts = make([]int, q.rows.Rows())
	}
	q.out.Counts = s.counts[:q.rows.Rows()]
	if err := q.x.SearchBatchInto(ctx, q.rows, &q.out, q.o); err != nil {
		return err
	}
	return q.judge()
}

// judge tells of what makes results no answer.
func (q *query) judge() error {
	for _, f := range q.filters {
		if f.stopped.Load() {
			return errStopped
		}
	}
	if q.partial {
		return nil
	}
	for i, n := range q.out.Counts {
		if n < q.k {
			return fmt.Errorf("%w: query %d: %d of %d", hnsw.ErrTooFew, i, n, q.k)
		}
	}
	return nil
}
