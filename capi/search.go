package main

/*
#include "shale.h"
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"unsafe"

	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// errFew reports fewer results than asked for.
var errFew = errors.New("fewer results than asked for")

// query is a call of shale_search.
type query struct {
	x       *index
	rows    vector.Matrix
	o       search.Options
	filters []*filter
	partial bool
	out     search.Results
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
	if c.count == 1 && c.filter_count == 0 && job == nil {
		return answer(searchOne(c))
	}
	q := new(query)
	if err := safely(func() error { return q.prepare(c) }); err != nil {
		return answer(err)
	}
	return perform(job, q.all)
}

// queries views rows that must have as many values as the index.
func (x *index) queries(p unsafe.Pointer, typ, count, dim C.int64_t) (vector.Matrix, error) {
	rows, err := matrix(p, C.int32_t(typ), count, dim)
	if err == nil && rows.Dim() != x.Dim() {
		err = fmt.Errorf("%w: the queries have %d values, the index has %d", vector.ErrDim, rows.Dim(), x.Dim())
	}
	return rows, err
}

// queriesOf checks a call and returns the index and the queries.
func queriesOf(c *C.struct_shale_query) (*index, vector.Matrix, error) {
	x, err := object[*index](c.index)
	if err != nil {
		return nil, vector.Matrix{}, err
	}
	if c.k < 1 || c.k > math.MaxInt32 || c.count > math.MaxInt32 {
		return nil, vector.Matrix{}, valueError("%d queries for k = %d", int64(c.count), int64(c.k))
	}
	rows, err := x.queries(c.rows, c._type, c.count, c.dim)
	return x, rows, err
}

// optionsOf returns the options of a call for an index.
func optionsOf(c *C.struct_shale_query, x *index) search.Options {
	o := search.Options{
		Ef: int(c.ef), Rerank: int(c.rerank), Slack: float32(c.slack), Probes: int(c.probes), Share: float64(c.share),
	}
	if c.part_count >= 0 {
		if o.Shards = view[uint32](ptr(c.parts), c.part_count); o.Shards == nil {
			o.Shards = []uint32{}
		}
	}
	return x.effort(o, int(c.k))
}

// room is where a call wants its results.
func room(c *C.struct_shale_query, counts []int) search.Results {
	return search.Results{
		K: int(c.k), Labels: view[uint64](ptr(c.labels), c.count*c.k),
		Distances: view[float32](ptr(c.distances), c.count*c.k),
		Counts:    counts,
	}
}

// searchOne answers a call for a single query. It allocates nothing.
func searchOne(c *C.struct_shale_query) (err error) {
	defer catch(&err)
	x, rows, err := queriesOf(c)
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
	o := optionsOf(c, x)
	if o.Threads = int(c.threads); o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0) // as for a batch: of an index of several shards they share these
	}
	s.found, err = x.SearchInto(s.found[:0], row, int(c.k), o)
	runtime.KeepAlive(x) // until then it isn't closed, if another has taken its place: see compact
	if err != nil {
		return err
	}
	s.counts = append(s.counts[:0], 0)
	out := room(c, s.counts)
	request.Set(&out, 0, s.found)
	if c.partial == 0 && len(s.found) < out.K {
		return fmt.Errorf("%w: %d of %d", errFew, len(s.found), out.K)
	}
	return nil
}

func (q *query) prepare(c *C.struct_shale_query) (err error) {
	if q.x, q.rows, err = queriesOf(c); err != nil {
		return err
	}
	q.out, q.partial = room(c, nil), c.partial != 0
	q.o = optionsOf(c, q.x)
	q.o.Threads = int(c.threads)
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
	err := q.x.SearchBatchInto(ctx, q.rows, &q.out, q.o)
	runtime.KeepAlive(q.x)
	if err != nil {
		return err
	}
	return q.judge()
}

// judge returns what makes results no answer.
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
			return fmt.Errorf("%w: query %d: %d of %d", errFew, i, n, q.out.K)
		}
	}
	return nil
}
