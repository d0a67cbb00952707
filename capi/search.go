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

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// query is a call of shale_search.
type query struct {
	x       *index
	rows    vector.Matrix
	o       search.Options
	filters []*filter
	partial bool
	out     search.Results
}

// spare is how many candidates more are kept where walks read codes: their order is a little off, which at an ef near k
// would cost true neighbours that hnswlib finds.
const spare = 8

// candidates is how many to keep for what hnswlib would find with ef.
func (x *index) candidates(ef int) int {
	ef = min(ef, math.MaxInt32) // which is above any number of elements
	if x.Config().Codes.Bits != 0 {
		return ef + spare
	}
	return ef
}

// scratch is what a search needs beside the caller's arrays, kept for the next.
type scratch struct {
	found  []search.Neighbor
	query  []float32
	counts []int
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

//export goSearch
func goSearch(p unsafe.Pointer, job *C.int64_t) status {
	c := (*C.struct_shale_query)(p)
	if x, err := object[*shards](c.index); err == nil {
		call := *c // which lasts as long as the job
		return perform(job, func(ctx context.Context) error { return x.search(ctx, &call) })
	}
	if c.count == 1 && c.filter_count == 0 && job == nil {
		return answer(searchOne(c))
	}
	q := new(query)
	if err := q.prepare(c); err != nil {
		return answer(err)
	}
	return perform(job, q.all)
}

// rowsFor checks a call and gives the queries, of as many values as the index has.
func rowsFor(c *C.struct_shale_query, dim int) (vector.Matrix, error) {
	if c.k < 1 || c.k > math.MaxInt32 || c.count > math.MaxInt32 {
		return vector.Matrix{}, valueError("%d queries for k = %d", int64(c.count), int64(c.k))
	}
	rows, err := matrix(c.rows, C.int32_t(c._type), c.count, c.dim)
	if err == nil && rows.Dim() != dim {
		err = fmt.Errorf("%w: the queries have %d values, the index has %d", vector.ErrDim, rows.Dim(), dim)
	}
	return rows, err
}

// room is where a call wants its results.
func room(c *C.struct_shale_query, counts []int) search.Results {
	return search.Results{
		K: int(c.k), Labels: view[uint64](ptr(c.labels), c.count*c.k), Distances: view[float32](ptr(c.distances), c.count*c.k),
		Counts: counts,
	}
}

// searchOne answers a call for a single query. It allocates nothing.
func searchOne(c *C.struct_shale_query) (err error) {
	defer catch(&err)
	x, err := object[*index](c.index)
	if err != nil {
		return err
	}
	rows, err := rowsFor(c, x.Dim())
	if err != nil {
		return err
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	var row []float32
	if rows.Type() == vector.Float32 {
		row = vector.Row[float32](rows, 0)
	} else {
		s.query = append(s.query[:0], make([]float32, rows.Dim())...)
		row = s.query
		rows.Decode(0, row)
	}
	s.found, err = x.SearchInto(s.found[:0], row, int(c.k), search.Options{Ef: x.candidates(max(int(c.ef), int(c.k)))})
	if err != nil {
		return err
	}
	s.counts = append(s.counts[:0], 0)
	out := room(c, s.counts)
	out.Set(0, s.found)
	if c.partial == 0 && len(s.found) < out.K {
		return fmt.Errorf("%w: %d of %d", hnsw.ErrTooFew, len(s.found), out.K)
	}
	return nil
}

func (q *query) prepare(c *C.struct_shale_query) (err error) {
	if q.x, err = object[*index](c.index); err != nil {
		return err
	}
	if q.rows, err = rowsFor(c, q.x.Dim()); err != nil {
		return err
	}
	q.out, q.partial = room(c, nil), c.partial != 0
	q.o.Threads, q.o.Ef = int(c.threads), q.x.candidates(max(int(c.ef), q.out.K))
	return q.takeFilters(view[C.int64_t](ptr(c.filters), c.filter_count))
}

func (q *query) takeFilters(handles []C.int64_t) error {
	if len(handles) == 0 {
		return nil
	}
	if n := len(handles); n != 1 && n != q.rows.Rows() {
		return valueError("%d filters for %d queries", n, q.rows.Rows())
	}
	list := make([]*search.Filter, len(handles))
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
	if err := checkMasks(q.x, q.filters); err != nil {
		return err
	}
	if len(list) == 1 {
		q.o.Filter = list[0]
	} else {
		q.o.Filters = list
	}
	return nil
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
		if n < q.out.K {
			return fmt.Errorf("%w: query %d: %d of %d", hnsw.ErrTooFew, i, n, q.out.K)
		}
	}
	return nil
}
