package main

/*
#include "shale.h"
*/
import "C"

import (
	"context"
	"unsafe"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/store/hnswlib"
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
		return x.Attach(m, attachOptions(mapped))
	})
}

// attachOptions leaves the tests of mapped rows to callers, who know which they can read cheaply.
func attachOptions(mapped C.int32_t) hnsw.AttachOptions {
	return hnsw.AttachOptions{Mapped: mapped != 0, Trusted: mapped != 0}
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

//export goGraphWrite
func goGraphWrite(h C.int64_t, path *C.char, job *C.int64_t) status {
	name := C.GoString(path)
	return perform(job, func(ctx context.Context) error {
		x, err := graphOf(h)
		if err != nil {
			return err
		}
		return hnswlib.WriteGraph(ctx, name, x)
	})
}

//export goGraphRead
func goGraphRead(path *C.char, space C.int32_t, dim C.int64_t, out, job *C.int64_t) status {
	name := C.GoString(path)
	return perform(job, func(ctx context.Context) error {
		o, err := fileOptions(space, dim, 0, 0)
		if err != nil {
			return err
		}
		o.Codes = hnsw.Codes{}
		x, err := hnswlib.ReadGraph(ctx, name, hnswlib.GraphOptions{Options: o})
		if err != nil {
			return err
		}
		*out = table.add(ofGraph(x))
		return nil
	})
}
