//go:build cgo

package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/search"
)

// rootBequest is what a child of fork needs beside the memory of a graph; an index without one it opens again.
type rootBequest struct {
	Path    string
	Options shale.OpenOptions
	Effort  search.Effort
}

func (x *rootIndex) leave(patience time.Duration) (bequest, func(), error) {
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

// rootIndex is the index in the child.
func (b *bequest) rootIndex() (*rootIndex, error) {
	switch {
	case b.Error != "":
		return nil, errors.New(b.Error)
	case b.Memory == nil:
		x, err := shale.Open(context.Background(), b.Root.Path, b.Root.Options)
		if err != nil {
			return nil, told(err)
		}
		x.Tune(b.Root.Effort, 0, 0)
		return &rootIndex{Index: x, path: b.Root.Path, options: b.Root.Options}, nil
	}
	graph, err := hnsw.InheritIndex(b.Memory)
	if err != nil {
		return nil, err
	}
	x := shale.FromGraph(graph)
	x.Tune(b.Root.Effort, 0, 0)
	return &rootIndex{Index: x}, nil
}
