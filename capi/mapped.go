package main

/*
#include "shale.h"
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/hnsw"
	"github.com/shale-search/shale/internal/vfs"
	"github.com/shale-search/shale/store"
	"github.com/shale-search/shale/store/hnswlib"
)

//export goGraphCreate
func goGraphCreate(path *C.char, space C.int32_t, dim, capacity, m, efConstruction C.int64_t, seed C.uint64_t, replace C.int32_t, out *C.int64_t) status {
	return do(func() error {
		metric, err := metric(space)
		if err != nil {
			return err
		}
		x, err := createOver(C.GoString(path), hnsw.Config{
			Dim: int(dim), Metric: metric, M: int(m), EfConstruction: int(efConstruction), Seed: uint64(seed),
			Capacity: int(capacity), FixedCapacity: true, ReplaceDelete: replace != 0, Codes: shale.AutoCodes(int(dim)),
		})
		if err != nil {
			return err
		}
		*out = table.add(ofGraph(x))
		return nil
	})
}

// createOver makes a live file at path in the place of a file that is there, which stays until the new one is complete.
func createOver(path string, c hnsw.Config) (*hnsw.Index, error) {
	info, err := vfs.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return store.CreateLive(path, c)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file that can be overwritten", path)
	}
	temp := path + ".new"
	x, err := store.CreateLive(temp, c)
	if err != nil {
		return nil, err
	}
	if err := vfs.Rename(temp, path); err != nil {
		return nil, errors.Join(err, x.Close(), vfs.Remove(temp))
	}
	return x, nil
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
	if readOnly {
		x, err = store.MapLive(path, store.Options{})
	}
	if !readOnly || errors.Is(err, store.ErrDirty) { // a process that used it was killed: opening for writing repairs it
		x, _, err = store.OpenLive(path, store.Options{})
	}
	if err != nil {
		return nil, err
	}
	if c := x.Config(); c.Dim != o.Dim || c.Metric != o.Metric {
		return nil, errors.Join(fmt.Errorf("%s holds vectors of %d values by %v, not %d by %v", path, c.Dim, c.Metric, o.Dim, o.Metric), x.Close())
	}
	return x, nil
}
