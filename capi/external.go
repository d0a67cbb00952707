package main

/*
#include "shale.h"
*/
import "C"

import (
	"context"
	"unsafe"

	"github.com/shale-search/shale/hnsw"
)

//export goGraphAttach
func goGraphAttach(h C.int64_t, rows unsafe.Pointer, typ C.int32_t, count, dim C.int64_t, mapped C.int32_t) status {
	return do(func() error {
		x, err := graphOf(h)
		if err != nil {
			return err
		}
		m, err := matrix(rows, typ, count, dim)
		if err != nil {
			return err
		}
		return x.Attach(m, hnsw.AttachOptions{Mapped: mapped != 0})
	})
}

//export goGraphAddAttached
func goGraphAddAttached(h, count C.int64_t, labels *C.uint64_t, threads C.int32_t, job *C.int64_t) status {
	return perform(job, func(ctx context.Context) error {
		x, err := object[*index](h)
		if err != nil {
			return err
		}
		if x.graph == nil {
			return valueError("handle %d is that of an index without a graph", int64(h))
		}
		return x.adding(uint64(max(count, 0)), view[uint64](ptr(labels), count), func(labels []uint64) error {
			return x.graph.AddAttached(ctx, int(count), labels, hnsw.BatchOptions{Threads: int(threads)})
		})
	})
}
