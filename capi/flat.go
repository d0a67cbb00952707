package main

/*
#include "shale.h"
*/
import "C"

import (
	"context"
	"errors"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/store/hnswlib"
)

//export goFlatNew
func goFlatNew(space C.int32_t, dim, capacity C.int64_t, out *C.int64_t) status {
	return do(func() error {
		metric, err := metric(space)
		if err != nil {
			return err
		}
		f, err := hnsw.NewFlat(hnsw.Config{Dim: int(dim), Metric: metric, Capacity: int(capacity), FixedCapacity: true})
		if err != nil {
			return err
		}
		*out = table.add(ofFlat(f))
		return nil
	})
}

//export goFlatLoad
func goFlatLoad(path *C.char, space C.int32_t, dim, capacity C.int64_t, out, job *C.int64_t) status {
	name := C.GoString(path)
	return perform(job, func(ctx context.Context) error {
		o, err := fileOptions(space, dim, capacity, 0)
		if err != nil {
			return err
		}
		f, err := hnswlib.ReadFlat(ctx, name, o)
		if err != nil {
			return err
		}
		*out = table.add(ofFlat(f))
		return nil
	})
}

//export goFlatRemove
func goFlatRemove(h C.int64_t, label C.uint64_t) status {
	return do(func() error {
		x, err := object[*index](h)
		if err != nil {
			return err
		}
		if x.flat == nil {
			return valueError("handle %d is that of an index with a graph", int64(h))
		}
		if err := x.flat.Delete(uint64(label)); !errors.Is(err, hnsw.ErrLabel) {
			return err
		}
		return nil
	})
}
