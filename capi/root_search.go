package main

/*
#include "root.h"
*/
import "C"

import (
	"context"
	"fmt"
	"math"
	"time"
	"unsafe"

	"github.com/shale-search/shale/eval"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// rootQuery is a call of shale_index_find.
type rootQuery struct {
	x       *rootIndex
	rows    vector.Matrix
	o       search.Options
	filters []*filter
	out     search.Results
}

//export goIndexFind
func goIndexFind(p unsafe.Pointer, job *C.int64_t) status {
	q := new(rootQuery)
	if status := rootDo(func() error { return q.prepare((*C.struct_shale_index_query)(p)) }); status != C.SHALE_OK {
		return status
	}
	return rootPerform(job, q.all)
}

func (q *rootQuery) prepare(c *C.struct_shale_index_query) (err error) {
	if q.x, err = object[*rootIndex](c.index); err != nil {
		return err
	}
	if c.k < 1 || c.k > math.MaxInt32 || c.count > math.MaxInt32 {
		return valueError("%d queries for k = %d", int64(c.count), int64(c.k))
	}
	if q.rows, err = q.x.queries(c.rows, c._type, c.count, c.dim); err != nil {
		return err
	}
	q.out = search.Results{
		K: int(c.k), Labels: view[uint64](ptr(c.labels), c.count*c.k), Distances: view[float32](ptr(c.distances), c.count*c.k),
		Counts: make([]int, c.count),
	}
	q.o = search.Options{
		Ef: int(c.ef), Rerank: int(c.rerank), Slack: float32(c.slack), Probes: int(c.probes), Share: float64(c.share),
		Threads: int(c.threads),
	}
	if q.filters, err = filtersOf(view[C.int64_t](ptr(c.filters), c.filter_count)); err != nil {
		return err
	}
	return q.applyFilters()
}

// queries are count rows that must be as long as the index's.
func (x *rootIndex) queries(p unsafe.Pointer, typ, count, dim C.int64_t) (vector.Matrix, error) {
	rows, err := matrix(p, C.int32_t(typ), count, dim)
	if err == nil && rows.Dim() != x.Dim() {
		err = fmt.Errorf("%w: the queries have %d values, the index has %d", vector.ErrDim, rows.Dim(), x.Dim())
	}
	return rows, err
}

// filtersOf are the filters of handles, nil for 0.
func filtersOf(handles []C.int64_t) ([]*filter, error) {
	list := make([]*filter, len(handles))
	for i, h := range handles {
		if h == 0 {
			continue
		}
		var err error
		if list[i], err = object[*filter](h); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (q *rootQuery) applyFilters() error {
	n := len(q.filters)
	if n > 1 && n != q.rows.Rows() {
		return valueError("%d filters for %d queries", n, q.rows.Rows())
	}
	list := make([]*search.Filter, n)
	for i, f := range q.filters {
		if f != nil {
			list[i] = f.filter
		}
	}
	if err := checkMasks(q.x, q.filters); err != nil {
		return err
	}
	if n == 1 {
		q.o.Filter = list[0]
	} else if n > 1 {
		q.o.Filters = list
	}
	return nil
}

// all answers all queries.
func (q *rootQuery) all(ctx context.Context) error {
	if err := q.x.SearchBatchInto(ctx, q.rows, &q.out, q.o); err != nil {
		return err
	}
	for _, f := range q.filters {
		if f != nil && f.stopped.Load() {
			return errStopped
		}
	}
	return nil
}

// tuneShares are tried for an index of several shards, from those that look into most of them on.
var tuneShares = []float64{0.995, 0.99, 0.98, 0.96, 0.93, 0.9}

// tuneTime is how long a setting is timed in each round at least.
const tuneTime = 50 * time.Millisecond

//export goIndexTune
func goIndexTune(p unsafe.Pointer, out, job *C.int64_t) status {
	t := *(*C.struct_shale_tuning)(p)
	return rootPerform(job, func(ctx context.Context) error {
		x, err := object[*rootIndex](t.index)
		if err != nil {
			return err
		}
		if !(t.recall > 0 && t.recall <= 1) || t.k < 1 || t.k > math.MaxInt32 {
			return valueError("a recall of %v of k = %d: it must be above 0 and up to 1", float64(t.recall), int64(t.k))
		}
		queries, err := x.queries(t.rows, t._type, t.count, t.dim)
		if err != nil {
			return err
		}
		point, err := x.tune(ctx, queries, &t)
		if err != nil {
			return err
		}
		x.Tune(search.Effort{Ef: point.Ef, Slack: point.Slack, Share: point.Share}, int(t.k), point.Recall)
		return report(point, out)
	})
}

func (x *rootIndex) tune(ctx context.Context, queries vector.Matrix, t *C.struct_shale_tuning) (eval.Point, error) {
	truth, err := x.truth(ctx, queries, t)
	if err != nil {
		return eval.Point{}, err
	}
	maxEf := int(t.max_ef)
	if maxEf <= 0 {
		maxEf = x.Len()
	}
	o := eval.Options{K: int(t.k), MinTime: tuneTime}
	if s := x.Shards(); s != nil && s.Shards() > 1 {
		o.Search.Share, o.Shares = 1, tuneShares
	}
	return eval.Tune(ctx, x.Index, queries, truth, float64(t.recall), maxEf, o)
}

// truth are the true neighbours given, or found.
func (x *rootIndex) truth(ctx context.Context, queries vector.Matrix, t *C.struct_shale_tuning) (*eval.Truth, error) {
	if t.truth == nil {
		return eval.IndexTruth(ctx, x.Index, queries, int(t.k), int(t.threads))
	}
	if t.truth_k < 1 {
		return nil, valueError("%d true neighbours a query", int64(t.truth_k))
	}
	given, n := view[uint64](ptr(t.truth), t.count*t.truth_k), int(t.truth_k)
	truth := &eval.Truth{Labels: make([][]uint64, queries.Rows())}
	for i := range truth.Labels {
		truth.Labels[i] = given[i*n : (i+1)*n]
	}
	return truth, truth.Measure(x.Index, queries, int(t.k))
}
