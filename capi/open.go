package main

/*
#include "faults.h"
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
	"github.com/shale-search/shale/vector"
)

//export goNew
func goNew(options *C.char, out *C.int64_t) status {
	text := C.GoString(options)
	return do(func() error {
		n, err := decode[newOptions](text)
		if err != nil {
			return err
		}
		e, err := newEngine(&n)
		if err != nil {
			return err
		}
		*out = addIndex(e)
		return nil
	})
}

func newEngine(n *newOptions) (engine, error) {
	switch n.Kind {
	case kindRoot:
		o, err := n.options()
		if err != nil {
			return nil, err
		}
		x, err := shale.New(n.Dim, o)
		if err != nil {
			return nil, err
		}
		return &rooted{Index: x}, nil
	case kindGraph:
		return newGraph(n)
	case kindFlat:
		metric, err := n.metric()
		if err != nil {
			return nil, err
		}
		f, err := hnsw.NewFlat(hnsw.Config{Dim: n.Dim, Metric: metric, Capacity: n.Capacity, FixedCapacity: true})
		if err != nil {
			return nil, err
		}
		return ofFlat(f), nil
	}
	return nil, valueError("an index of kind %q can't be made", n.Kind)
}

func newGraph(n *newOptions) (engine, error) {
	c, err := n.config()
	if err != nil {
		return nil, err
	}
	var x *hnsw.Index
	if n.Path == "" {
		x, err = hnsw.New(c)
	} else {
		C.shale_faults_expected()
		x, err = store.CreateLive(n.Path, c, store.CreateOptions{Replace: true})
	}
	if err != nil {
		return nil, err
	}
	return ofGraph(x), nil
}

//export goOpen
func goOpen(path, options *C.char, out, job *C.int64_t) status {
	name, text := C.GoString(path), C.GoString(options)
	return perform(job, func(ctx context.Context) error {
		o, err := decode[openOptions](text)
		if err != nil {
			return err
		}
		e, err := openEngine(ctx, name, &o)
		if err != nil {
			return err
		}
		*out = addIndex(e)
		return nil
	})
}

func openEngine(ctx context.Context, path string, o *openOptions) (engine, error) {
	if o.Kind == kindRoot {
		options, err := o.options()
		if err != nil {
			return nil, err
		}
		x, err := shale.Open(ctx, path, options)
		if err != nil {
			return nil, err
		}
		return &rooted{Index: x, path: path, options: options}, nil
	}
	metric, err := parseMetric(o.Metric)
	if err != nil {
		return nil, err
	}
	if o.Kind == kindShards {
		C.shale_faults_expected()
		return openShards(ctx, path, o, metric)
	}
	return openPlain(ctx, path, o, metric)
}

// openPlain opens one of hnswlib's files.
func openPlain(ctx context.Context, path string, o *openOptions, metric vector.Metric) (engine, error) {
	h := hnswlib.Options{
		Dim: o.Dim, Metric: metric, Capacity: o.Capacity, FixedCapacity: true, ReplaceDelete: o.ReplaceDeleted,
		Codes: hnsw.AutoCodes(o.Dim),
	}
	var x *hnsw.Index
	var err error
	switch o.Kind {
	case kindGraph:
		x, err = hnswlib.Read(ctx, path, h)
	case kindLinks:
		h.Codes = hnsw.Codes{}
		x, err = hnswlib.ReadGraph(ctx, path, hnswlib.GraphOptions{Options: h})
	case kindMapped:
		C.shale_faults_expected()
		x, err = mapGraph(ctx, path, h, o.ReadOnly)
	case kindFlat:
		f, err := hnswlib.ReadFlat(ctx, path, h)
		if err != nil {
			return nil, err
		}
		return ofFlat(f), nil
	default:
		return nil, valueError("an index of kind %q can't be opened", o.Kind)
	}
	if err != nil {
		return nil, err
	}
	return ofGraph(x), nil
}

func mapGraph(ctx context.Context, path string, o hnswlib.Options, readOnly bool) (*hnsw.Index, error) {
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
		return nil, errors.Join(fmt.Errorf("%s holds vectors of %d values by %v, not %d by %v", path, c.Dim,
			c.Metric, o.Dim, o.Metric), x.Close())
	}
	return x, nil
}
