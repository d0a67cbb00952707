package main

/*
#include "shale.h"
*/
import "C"

import (
	"context"
	"errors"
	"fmt"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/hnswlib"
)

//export goGraphCreate
func goGraphCreate(path *C.char, space C.int32_t, dim, capacity, m, efConstruction C.int64_t, seed C.uint64_t, replace C.int32_t, out *C.int64_t) status {
	return do(func() error {
		metric, err := metric(space)
		if err != nil {
			return err
		}
		x, err := store.CreateLive(C.GoString(path), hnsw.Config{
			Dim: int(dim), Metric: metric, M: int(m), EfConstruction: int(efConstruction), Seed: uint64(seed),
			Capacity: int(capacity), FixedCapacity: true, ReplaceDelete: replace != 0, Codes: shale.AutoCodes(int(dim)),
		}, store.CreateOptions{Replace: true})
		if err != nil {
			return err
		}
		*out = table.add(ofGraph(x))
		return nil
	})
}

//export goGraphMap
func goGraphMap(path *C.char, space C.int32_t, dim C.int64_t, readOnly C.int32_t, out, job *C.int64_t) status {
	name := C.GoString(path)
	return perform(job, func(ctx context.Context) error {
		o, err := fileOptions(space, dim, 0, 0)
		if err != nil {
			return err
		}
		x, err := mapIndex(ctx, name, o, readOnly != 0)
		if err != nil {
			return err
		}
		*out = table.add(ofGraph(x))
		return nil
	})
}

func mapIndex(ctx context.Context, path string, o hnswlib.Options, readOnly bool) (*hnsw.Index, error) {
	format, err := store.Detect(path)
	switch {
	case err != nil:
		return nil, err
	case format != store.Live:
		return hnswlib.Map(ctx, path, o)
	}
	var x *hnsw.Index
	live := store.Options{FixedCapacity: true, Wait: store.DefaultWait}
	if readOnly {
		x, err = store.MapLive(path, live)
	} else {
		x, _, err = store.OpenLive(path, live)
	}
	if err != nil {
		return nil, err
	}
	if c := x.Config(); c.Dim != o.Dim || c.Metric != o.Metric {
		return nil, errors.Join(fmt.Errorf("%s holds vectors of %d values by %v, not %d by %v", path, c.Dim, c.Metric, o.Dim, o.Metric), x.Close())
	}
	return x, nil
}
