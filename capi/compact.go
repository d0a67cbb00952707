package main

/*
#include "shale.h"
*/
import "C"

import (
	"context"
	"errors"
	"runtime"

	"github.com/shale-search/shale"
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
	if err != nil {
		return false, err
	}
	compact, err := r.Compact(ctx, threads)
	if err != nil {
		return false, err
	}
	n := &rooted{Index: compact, path: r.path, options: r.options}
	if !table.replace(h, x, &index{engine: n}) {
		return false, errors.Join(errNoObject, n.Close())
	}
	x.moved = true
	runtime.AddCleanup(x, func(old *shale.Index) { _ = old.Close() }, r.Index)
	go runtime.GC()
	return false, nil
}
