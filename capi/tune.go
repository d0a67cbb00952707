package main

/*
#include "shale.h"
*/
import "C"

import (
	"context"
	"math"
	"time"
	"unsafe"

	"github.com/shale-search/shale/eval"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// tuneShares are tried for an index of several shards, from those that look into most of them on.
var tuneShares = []float64{0.995, 0.99, 0.98, 0.96, 0.93, 0.9}

// tuneTime is how long a setting is timed in each round at least.
const tuneTime = 50 * time.Millisecond

//export goTune
func goTune(p unsafe.Pointer, out, job *C.int64_t) status {
	t := *(*C.struct_shale_tuning)(p)
	return perform(job, func(ctx context.Context) error {
		x, err := object[*index](t.index)
		if err != nil {
			return err
		}
		if !(t.recall > 0 && t.recall <= 1) || t.k < 1 || t.k > math.MaxInt32 {
			return valueError("a recall of %v of k = %d: it must be above 0 and up to 1", float64(t.recall), int64(t.k))
		}
		r, err := able[*rooted](x)
		if err != nil {
			return err
		}
		queries, err := x.queries(t.rows, t._type, t.count, t.dim)
		if err != nil {
			return err
		}
		point, err := r.tune(ctx, queries, &t)
		if err != nil {
			return err
		}
		r.Tune(search.Effort{Ef: point.Ef, Slack: point.Slack, Share: point.Share}, int(t.k), point.Recall)
		return report(point, out)
	})
}

func (x *rooted) tune(ctx context.Context, queries vector.Matrix, t *C.struct_shale_tuning) (eval.Point, error) {
	truth, err := x.truth(ctx, queries, t)
	if err != nil {
		return eval.Point{}, err
	}
	if err := x.calibrate(ctx, queries, truth, int(t.k)); err != nil {
		return eval.Point{}, err
	}
	maxEf := int(t.max_ef)
	if maxEf <= 0 {
		maxEf = x.Len()
	}
	o := eval.Options{K: int(t.k), MinTime: tuneTime}
	if x.inside().Shards() > 1 {
		o.Search.Share, o.Shares = 1, tuneShares
	}
	return eval.Tune(ctx, x.Index, queries, truth, float64(t.recall), maxEf, o)
}

// truth are the true neighbours given, or found.
func (x *rooted) truth(ctx context.Context, queries vector.Matrix, t *C.struct_shale_tuning) (*eval.Truth, error) {
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
	return truth, nil
}

// calibrate measures what shares are worth for the queries, by the first k true neighbours of each, of an index of
// several shards: the build has measured that for queries like the rows.
func (x *rooted) calibrate(ctx context.Context, queries vector.Matrix, truth *eval.Truth, k int) error {
	labels := make([][]uint64, len(truth.Labels))
	for q, all := range truth.Labels {
		labels[q] = all[:min(k, len(all))]
	}
	c, err := x.inside().Calibrate(ctx, queries, labels)
	if err == nil && c != nil {
		c.Apply()
	}
	return err
}
