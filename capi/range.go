package main

/*
#include "shale.h"
*/
import "C"

import (
	"context"
	"unsafe"

	"github.com/shale-search/shale/search"
)

//export goRange
func goRange(p unsafe.Pointer, radius C.double, out, job *C.int64_t) status {
	c := *(*C.struct_shale_query)(p)
	limit := int(c.k)
	c.k = max(c.k, 1)
	q := new(query)
	if err := safely(func() error { return q.prepare(&c) }); err != nil {
		return answer(err)
	}
	return perform(job, func(ctx context.Context) error {
		x, err := able[*rooted](q.x)
		if err != nil {
			return err
		}
		found, err := x.RangeBatch(ctx, q.rows, float32(radius), limit, q.o)
		if err != nil {
			return err
		}
		for _, f := range q.filters {
			if f.stopped.Load() {
				return errStopped
			}
		}
		*out = table.add(found)
		return nil
	})
}

//export goFound
func goFound(h C.int64_t, offsets *C.int64_t, labels *C.uint64_t, distances *C.float, count *C.int64_t) status {
	return do(func() error {
		found, err := object[*search.RangeResults](h)
		if err != nil {
			return err
		}
		room := *count
		*count = C.int64_t(len(found.Labels))
		if room < *count || room == 0 {
			return nil
		}
		at := view[int64](ptr(offsets), C.int64_t(len(found.Offsets)))
		for i, offset := range found.Offsets {
			at[i] = int64(offset)
		}
		copy(view[uint64](ptr(labels), room), found.Labels)
		copy(view[float32](ptr(distances), room), found.Distances)
		return nil
	})
}
