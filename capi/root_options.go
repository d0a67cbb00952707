//go:build cgo

package main

import (
	"bytes"
	"encoding/json"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/vector"
)

// layoutOptions say what an index is like. Absent fields mean the defaults of shale.BuildOptions.
type layoutOptions struct {
	Metric         string `json:"metric"`
	Storage        string `json:"storage"`
	Keep           string `json:"keep"`
	M              int    `json:"m"`
	BaseLinks      int    `json:"base_links"`
	EfConstruction int    `json:"ef_construction"`
	Seed           uint64 `json:"seed"`
	Threads        int    `json:"threads"`
	Capacity       int    `json:"capacity"`
	ReplaceDeleted bool   `json:"replace_deleted"`
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
	Metric string `json:"metric"`
	Dim    int    `json:"dim"`
	Memory int64  `json:"memory"`
	Mapped bool   `json:"mapped"`
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

// options are those of the root package.
func (l *layoutOptions) options() (shale.BuildOptions, error) {
	o := shale.BuildOptions{
		M: l.M, BaseLinks: l.BaseLinks, EfConstruction: l.EfConstruction, Seed: l.Seed, Threads: l.Threads, Capacity: l.Capacity,
		ReplaceDeleted: l.ReplaceDeleted,
	}
	var err error
	if o.Metric, err = vector.ParseMetric(l.Metric); err != nil {
		return o, valueError("%v", err)
	}
	if l.Storage != "" {
		if o.Storage, err = shale.ParseStorage(l.Storage); err != nil {
			return o, valueError("%v", err)
		}
	}
	if l.Keep != "" {
		if o.Keep, err = shale.ParseKeep(l.Keep); err != nil {
			return o, valueError("%v", err)
		}
	}
	return o, nil
}

func (b *buildOptions) options() (shale.BuildOptions, error) {
	o, err := b.layoutOptions.options()
	o.Shards, o.Copies, o.Centroids, o.Memory, o.Blocks, o.Replace = b.Shards, b.Copies, b.Centroids, b.Memory, b.Blocks, b.Replace
	return o, err
}

func (p *openOptions) options() (shale.OpenOptions, error) {
	o := shale.OpenOptions{Dim: p.Dim, Memory: p.Memory, Mapped: p.Mapped}
	if p.Metric == "" {
		return o, nil
	}
	var err error
	if o.Metric, err = vector.ParseMetric(p.Metric); err != nil {
		err = valueError("%v", err)
	}
	return o, err
}

// formats are the names of those that an index can be saved in.
var formats = map[string]shale.Format{
	"": shale.Auto, "auto": shale.Auto, "directory": shale.Directory, "file": shale.File, "hnswlib": shale.Hnswlib,
}

func (s *saveOptions) options() (shale.SaveOptions, error) {
	f, ok := formats[s.Format]
	if !ok {
		return shale.SaveOptions{}, valueError("format %q is not one of auto, directory, file, hnswlib", s.Format)
	}
	return shale.SaveOptions{Format: f, Replace: s.Replace}, nil
}
