//go:build cgo

package main

import (
	"bytes"
	"cmp"
	"encoding/json"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/coding"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/store/hnswlib"
	"github.com/shale-search/shale/vector"
)

// The kinds of index that are made and opened.
const (
	kindRoot   = ""       // of the package at the root, in whatever form
	kindGraph  = "graph"  // hnswlib's index: a graph of fixed capacity
	kindFlat   = "flat"   // hnswlib's brute force
	kindLinks  = "links"  // hnswlib-mmap's graph without rows
	kindMapped = "mapped" // an index.bin whose rows stay in the file, or a live file
	kindShards = "shards" // a directory of shards of hnswlib-mmap
)

// layoutOptions say what an index is like. Absent fields mean the defaults of shale.BuildOptions.
type layoutOptions struct {
	Metric         string `json:"metric"`
	Codes          string `json:"codes"`
	Rows           string `json:"rows"`
	Storage        string `json:"storage"` // the old name of Codes
	Keep           string `json:"keep"`    // the old name of Rows
	M              int    `json:"m"`
	BaseLinks      int    `json:"base_links"`
	EfConstruction int    `json:"ef_construction"`
	Seed           uint64 `json:"seed"`
	Threads        int    `json:"threads"`
	Capacity       int    `json:"capacity"`
	ReplaceDeleted bool   `json:"replace_deleted"`
}

// newOptions say what kind of index to make.
type newOptions struct {
	layoutOptions
	Kind string `json:"kind"` // root, graph or flat
	Dim  int    `json:"dim"`
	Path string `json:"path"` // of a graph: a live file to make, or to overwrite
}

// buildOptions say how to build an index: see shale.BuildOptions.
type buildOptions struct {
	layoutOptions
	Shards    int     `json:"shards"`
	Copies    float64 `json:"copies"`
	Centroids int     `json:"centroids"`
	Memory    int64   `json:"memory"`
	Blocks    bool    `json:"blocks"`
	Replace   bool    `json:"replace"`
}

// openOptions say what the files don't: see shale.OpenOptions.
type openOptions struct {
	Kind           string `json:"kind"`
	Metric         string `json:"metric"`
	Dim            int    `json:"dim"`
	Memory         int64  `json:"memory"`
	Mapped         bool   `json:"mapped"`
	Capacity       int    `json:"capacity"`        // of a graph or a flat index; raised to the file's count
	ReplaceDeleted bool   `json:"replace_deleted"` // of a graph
	ReadOnly       bool   `json:"read_only"`       // of a mapped one
	Shards         int    `json:"shards"`
	InMemory       int    `json:"in_memory"` // of shards: how many are in memory, others mapped; 0: all as mapped says
	Global         bool   `json:"global"`    // of shards: labels in the graphs are those of the whole
}

// saveOptions say how to save: see shale.SaveOptions.
type saveOptions struct {
	Format  string `json:"format"`
	Replace bool   `json:"replace"`
	Tuned   bool   `json:"tuned"` // save only what was tuned
}

// decode reads options, all fields of which must be known.
func decode[T any](text string) (T, error) {
	var o T
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		return o, valueError("options: %v", err)
	}
	return o, nil
}

func parseMetric(name string) (vector.Metric, error) {
	metric, err := vector.ParseMetric(name)
	if err != nil {
		err = valueError("%v", err)
	}
	return metric, err
}

func (l *layoutOptions) metric() (vector.Metric, error) { return parseMetric(l.Metric) }

// options returns those of the package at the root.
func (l *layoutOptions) options() (shale.BuildOptions, error) {
	o := shale.BuildOptions{
		M: l.M, BaseLinks: l.BaseLinks, EfConstruction: l.EfConstruction, Seed: l.Seed,
		Threads: l.Threads, Capacity: l.Capacity,
		ReplaceDeleted: l.ReplaceDeleted,
	}
	var err error
	if o.Metric, err = l.metric(); err != nil {
		return o, err
	}
	codes, _, err := coding.ParseCodes(cmp.Or(l.Codes, l.Storage, coding.Auto))
	if err != nil {
		return o, valueError("%v", err)
	}
	rows, _, err := coding.ParseRows(cmp.Or(l.Rows, l.Keep, coding.Auto))
	if err != nil {
		return o, valueError("%v", err)
	}
	o.Codes, o.Rows = shale.Codes(codes), shale.Rows(rows)
	return o, nil
}

// config returns the options of a graph as hnswlib has them.
func (n *newOptions) config() (hnsw.Config, error) {
	metric, err := n.metric()
	c := hnsw.Config{
		Dim: n.Dim, Metric: metric, M: n.M, EfConstruction: n.EfConstruction, Seed: n.Seed,
		Capacity: n.Capacity, FixedCapacity: true,
		ReplaceDelete: n.ReplaceDeleted, Codes: hnsw.AutoCodes(n.Dim),
	}
	if n.Storage == "external" {
		c.Storage, c.Codes = rowtype.External, hnsw.Codes{}
	}
	return c, err
}

// hnswlib returns the options of reading hnswlib's index.
func (n *newOptions) hnswlib() (hnswlib.Options, error) {
	metric, err := n.metric()
	return hnswlib.Options{
		Dim: n.Dim, Metric: metric, Capacity: n.Capacity, FixedCapacity: true, ReplaceDelete: n.ReplaceDeleted, Seed: n.Seed,
		Codes: hnsw.AutoCodes(n.Dim),
	}, err
}

func (b *buildOptions) options() (shale.BuildOptions, error) {
	o, err := b.layoutOptions.options()
	o.Shards, o.Copies, o.Centroids, o.Memory, o.Blocks, o.Replace = b.Shards, b.Copies, b.Centroids,
		b.Memory, b.Blocks, b.Replace
	return o, err
}

func (p *openOptions) options() (shale.OpenOptions, error) {
	o := shale.OpenOptions{Dim: p.Dim, Memory: p.Memory, Mapped: p.Mapped}
	if p.Metric == "" {
		return o, nil
	}
	var err error
	o.Metric, err = parseMetric(p.Metric)
	return o, err
}

// formats are the names of those that an index can be saved in.
var formats = map[string]shale.Format{
	"": location.Auto, "auto": location.Auto, "directory": shale.Directory, "file": shale.File, "hnswlib": shale.Hnswlib,
}

func (s *saveOptions) options() (shale.SaveOptions, error) {
	f, ok := formats[s.Format]
	if !ok {
		return shale.SaveOptions{}, valueError("format %q is not one of auto, directory, file, hnswlib", s.Format)
	}
	return shale.SaveOptions{Format: f, Replace: s.Replace}, nil
}
