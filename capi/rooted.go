//go:build cgo

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// rooted is an index of the package at the root.
type rooted struct {
	*shale.Index
	path    string // that it was opened from, and how
	options shale.OpenOptions
}

func (x *rooted) effort(o search.Options, _ int) search.Options { return o }

func (x *rooted) stat() statistics {
	s := statistics{count: x.Len() + x.Deleted(), deleted: x.Deleted(), changeable: true}
	if g := x.Graph(); g != nil {
		c := g.Config()
		s.capacity = g.Capacity()
		s.m, s.efConstruction, s.replacing, s.external = c.M, c.EfConstruction, c.ReplaceDelete, c.Storage == vector.External
		return s
	}
	m := x.Shards().Manifest()
	s.capacity, s.m, s.efConstruction = s.count, m.M, m.EfConstruction
	s.external, s.changeable = x.GraphOnly(), x.Shards().Changeable() == nil
	return s
}

func (x *rooted) all() ([]uint64, error) {
	if x.Graph() == nil {
		return x.Shards().Findable()
	}
	return x.Graph().Labels()
}

func (x *rooted) findable() ([]uint64, error) {
	if x.Graph() == nil {
		return x.Shards().Findable()
	}
	return x.Graph().Findable()
}

func (x *rooted) vectors(labels []uint64, dst []float32) error {
	if x.Graph() == nil {
		return x.readVectors(labels, dst)
	}
	return vectorsOf(x.Graph(), labels, dst)
}

// readVectors reads all rows of an index that can't be changed for the vectors of some labels.
func (x *rooted) readVectors(wanted []uint64, dst []float32) error {
	places := make(map[uint64][]int, len(wanted))
	for i, label := range wanted {
		places[label] = append(places[label], i)
	}
	dim, enough := x.Dim(), errors.New("enough")
	err := x.Shards().EachVector(context.Background(), func(labels []uint64, rows vector.Matrix) error {
		for row, label := range labels {
			for _, i := range places[label] {
				rows.Decode(row, dst[i*dim:(i+1)*dim])
			}
			delete(places, label)
		}
		if len(places) == 0 {
			return enough
		}
		return nil
	})
	if err != nil && !errors.Is(err, enough) {
		return err
	}
	for label := range places {
		return fmt.Errorf("label %d: %w", label, hnsw.ErrLabel)
	}
	return nil
}

func (x *rooted) contains(labels []uint64, found []bool) error {
	if x.Graph() != nil {
		return containsOf(x.Graph(), labels, found)
	}
	there, err := x.findable()
	if err != nil {
		return err
	}
	wanted := make(map[uint64][]int, len(labels))
	for i, label := range labels {
		wanted[label], found[i] = append(wanted[label], i), false
	}
	for _, label := range there {
		for _, i := range wanted[label] {
			found[i] = true
		}
	}
	return nil
}

func (x *rooted) add(ctx context.Context, a *addition) error {
	switch {
	case a.attached:
		return shale.ErrReadOnly
	case a.n == 0:
		return nil
	case a.assign:
		first, err := x.ReserveLabels(a.n)
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
		return x.SaveTuned(path)
	}
	s, err := o.options()
	if err != nil {
		return err
	}
	return x.Save(ctx, path, s)
}

// rootBequest is what a child of fork needs beside the memory of a graph; an index without one it opens again.
type rootBequest struct {
	Path    string
	Options shale.OpenOptions
	Effort  search.Effort
}

func (x *rooted) leave(patience time.Duration) (bequest, func(), error) {
	b := bequest{Root: &rootBequest{Path: x.path, Options: x.options, Effort: x.Effort()}}
	if x.Graph() == nil {
		path, err := filepath.Abs(x.path)
		b.Root.Path = path
		return b, func() {}, err
	}
	m, release, err := x.Graph().Hold(patience)
	if err != nil {
		return b, nil, err
	}
	b.Memory, b.Graph = m, true
	return b, release, nil
}

// inherit returns the index in the child.
func (b *rootBequest) inherit(m *hnsw.Memory) (engine, error) {
	if m == nil {
		x, err := shale.Open(context.Background(), b.Path, b.Options)
		if err != nil {
			return nil, err
		}
		x.Tune(b.Effort, 0, 0)
		return &rooted{Index: x, path: b.Path, options: b.Options}, nil
	}
	graph, err := hnsw.InheritIndex(m)
	if err != nil {
		return nil, err
	}
	x := shale.FromGraph(graph)
	x.Tune(b.Effort, 0, 0)
	return &rooted{Index: x}, nil
}
