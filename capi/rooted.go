//go:build cgo

package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// rooted is an index of the package at the root.
type rooted struct {
	*shale.Index
	path    string // that it was opened from, and how
	options shale.OpenOptions
}

func (x *rooted) inside() inside.Index { return inside.Of(x.Index) }

func (x *rooted) LargestLabel() (label uint64, ok bool, err error) { return x.inside().LargestLabel() }

func (x *rooted) SearchBatchInto(ctx context.Context, queries vector.Matrix, out *search.Results,
	o search.Options) error {
	return x.inside().SearchBatchInto(ctx, queries, out, o)
}

func (x *rooted) effort(o search.Options, _ int) search.Options { return o }

func (x *rooted) stat() statistics {
	in := x.inside()
	c := in.Config()
	return statistics{
		count: x.Len() + x.Deleted(), deleted: x.Deleted(), capacity: in.Capacity(),
		m: c.M, efConstruction: c.EfConstruction, replacing: c.ReplaceDelete,
		external: in.External(), changeable: in.Changeable() == nil,
	}
}

// all returns the labels that a search may find. It leaves out those of deleted rows.
func (x *rooted) all() ([]uint64, error)      { return x.Labels() }
func (x *rooted) findable() ([]uint64, error) { return x.Labels() }

func (x *rooted) vectors(labels []uint64, dst []float32) error {
	rows, err := x.Vectors(labels...)
	if err != nil {
		return err
	}
	for i := range rows.Rows() {
		rows.Decode(i, dst[i*rows.Dim():])
	}
	return nil
}

func (x *rooted) contains(labels []uint64, found []bool) error {
	there, err := x.Contains(labels...)
	copy(found, there)
	return err
}

func (x *rooted) add(ctx context.Context, a *addition) error {
	switch {
	case a.attached:
		return shale.ErrReadOnly
	case a.n == 0:
		return nil
	case a.assign:
		first, err := x.inside().ReserveLabels(a.n)
		if err != nil {
			return err
		}
		follow(a.labels, first)
	}
	return x.AddBatch(ctx, a.rows, shale.AddOptions{Labels: a.labels, Threads: a.o.Threads, Progress: a.o.Progress})
}

func (x *rooted) mark(labels []uint64, deleted, ignoreMissing bool) error {
	if !deleted {
		return x.Undelete(labels...)
	}
	if ignoreMissing {
		found := make([]bool, len(labels))
		if err := x.contains(labels, found); err != nil {
			return err
		}
		there := make([]uint64, 0, len(labels))
		known := make(map[uint64]bool, len(labels))
		for i, label := range labels {
			if found[i] && !known[label] {
				known[label], there = true, append(there, label)
			}
		}
		labels = there
	}
	return x.Delete(labels...)
}

func (x *rooted) save(ctx context.Context, path string, o saveOptions) error {
	if o.Tuned {
		return x.Save(ctx, path, shale.SaveOptions{TuningOnly: true})
	}
	s, err := o.options()
	if err != nil {
		return err
	}
	return x.Save(ctx, path, s)
}

// rootState is what a child of fork needs to know of an index of the root package beside the memory of its graph.
// An index that isn't one graph in memory is opened again from its path.
type rootState struct {
	Path    string
	Options shale.OpenOptions
	Effort  search.Effort
}

func (x *rooted) freeze(patience time.Duration) (indexState, func(), error) {
	s := indexState{Root: &rootState{Path: x.path, Options: x.options, Effort: x.inside().Effort()}}
	graph := x.inside().Graph()
	if graph == nil {
		path, err := filepath.Abs(x.path)
		s.Root.Path = path
		return s, func() {}, err
	}
	m, release, err := graph.Hold(patience)
	if err != nil {
		return s, nil, err
	}
	s.Memory, s.Graph = m, true
	return s, release, nil
}

// engine makes the index in the child, of a graph's memory if that isn't nil.
func (s *rootState) engine(m *hnsw.Memory) (engine, error) {
	if m == nil {
		x, err := shale.Open(context.Background(), s.Path, s.Options)
		if err != nil {
			return nil, err
		}
		x.Tune(s.Effort, 0, 0)
		return &rooted{Index: x, path: s.Path, options: s.Options}, nil
	}
	graph, err := hnsw.IndexFromMemory(m)
	if err != nil {
		return nil, err
	}
	x := inside.IndexOf(graph).(*shale.Index)
	x.Tune(s.Effort, 0, 0)
	return &rooted{Index: x}, nil
}
