package main

/*
#include "shale.h"
*/
import "C"

import (
	"context"
	"errors"
	"math"
	"runtime"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/vector"
)

//export goCompact
func goCompact(h, threads C.int64_t, job *C.int64_t) status {
	return perform(job, func(ctx context.Context) error {
		for {
			x, err := object[*index](h)
			if err != nil {
				return err
			}
			if moved, err := x.compact(ctx, h, int(threads)); !moved {
				return err
			}
		}
	})
}

// compact puts an index of the rows that aren't deleted in its place under handle h. Changes wait; searches go on, and
// those under way end on the old one, which is closed once nobody has it.
func (x *index) compact(ctx context.Context, h C.int64_t, threads int) (moved bool, err error) {
	x.changing.Lock()
	defer x.changing.Unlock()
	if x.moved {
		return true, nil
	}
	r, err := able[*rooted](x)
	switch {
	case err != nil:
		return false, err
	case r.Graph() == nil:
		return false, shale.ErrReadOnly
	case r.Graph().Config().Storage == vector.NoRows:
		return false, errors.New("an index that keeps no vectors can't be compacted: there is nothing to build another of")
	case r.Live() != "":
		return false, errors.New("a live file can't be compacted in place: its deleted vectors' places are used again")
	}
	graph, err := compacted(ctx, r.Graph(), threads)
	if err != nil {
		return false, err
	}
	n := &rooted{Index: shale.FromGraph(graph), path: r.path, options: r.options}
	n.Tune(r.Effort(), 0, 0)
	if !table.replace(h, x, &index{engine: n}) {
		return false, errors.Join(errNoObject, n.Close())
	}
	x.moved = true
	runtime.AddCleanup(x, func(old *shale.Index) { _ = old.Close() }, r.Index)
	go runtime.GC()
	return false, nil
}

// compacted is a new index of the rows of another that aren't deleted.
func compacted(ctx context.Context, old *hnsw.Index, threads int) (*hnsw.Index, error) {
	labels, err := old.Findable()
	if err != nil {
		return nil, err
	}
	c := old.Config()
	c.Capacity = len(labels)
	values := make([]float32, len(labels)*c.Dim)
	for i, label := range labels {
		if err := old.Vector(label, values[i*c.Dim:(i+1)*c.Dim]); err != nil {
			return nil, err
		}
	}
	rows, err := vector.Of(values, c.Dim)
	if err != nil {
		return nil, err
	}
	x, err := hnsw.New(c)
	if err != nil {
		return nil, err
	}
	err = x.AddBatch(ctx, rows, labels, hnsw.BatchOptions{Threads: threads})
	if err == nil {
		err = countOn(x, old)
	}
	if err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// countOn makes default labels go on where those of another index would.
func countOn(x, old *hnsw.Index) error {
	last, ok, err := old.LargestLabel()
	if err != nil || !ok {
		return err
	}
	now, any, err := x.LargestLabel()
	if err != nil {
		return err
	}
	missing := last + 1
	if any {
		missing = last - now
	}
	if missing == 0 || missing > math.MaxInt {
		return nil
	}
	_, err = x.ReserveLabels(int(missing))
	return err
}
