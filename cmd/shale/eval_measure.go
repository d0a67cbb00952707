package main

import (
	"cmp"
	"runtime/debug"
	"slices"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale/eval"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/internal/machine"
	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/vector"
)

// measureAll measures the indexes at paths with the same queries.
func (f *evalFlags) measureAll(c *cobra.Command, paths []string) (evalReports, error) {
	for _, path := range paths { // before pipes are waited for
		if err := f.where.check(c, path); err != nil {
			return nil, err
		}
	}
	queries, err := readQueries(c.Context(), f.queries)
	if err != nil {
		return nil, err
	}
	truth, err := readTruth(c.Context(), f.truth, queries.Rows())
	if err != nil {
		return nil, err
	}
	var all evalReports
	for _, path := range paths {
		r, err := f.measure(c, path, queries, truth)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func (f *evalFlags) measure(c *cobra.Command, path string, queries vector.Matrix,
	truth *truthFile) (*evalReport, error) {
	f.where.load = measuringLoad(queries, f.k, slices.Max(f.efs), f.threads)
	if f.batch {
		f.where.load.Queries = queries.Rows()
	}
	debug.FreeOSMemory()
	before := machine.Resident()
	index, err := f.where.open(c, path)
	if err != nil {
		return nil, err
	}
	defer index.Close()
	efs := f.efs
	if tuned := inside.Of(index).Effort().Ef; !c.Flags().Changed("ef") && !slices.Contains(efs, tuned) {
		efs = slices.Sorted(slices.Values(append(slices.Clone(efs), tuned)))
	}
	if err := f.rank.suit(c, index, path); err != nil {
		return nil, err
	}
	if queries.Dim() != index.Dim() {
		return nil, dimError(f.queries, queries.Dim(), index.Dim())
	}
	if err := truth.covers(f.k, index.Len()); err != nil {
		return nil, err
	}
	info, err := index.Info()
	if err != nil {
		return nil, err
	}
	r := &evalReport{
		Index: path, Machine: machine.This(), K: f.k, Queries: queries.Rows(), Threads: f.threads, Batch: f.batch,
		Vectors: info.Rows - info.Deleted, Dim: info.Dim, Metric: info.Metric, Storage: info.Storage,
		MemoryBytes: info.MemoryBytes,
	}
	if f.rank.Probes == 0 {
		shares, err := calibrate(c.Context(), index, queries, truth.Truth, f.k)
		if err != nil {
			return nil, err
		}
		if shares != nil {
			r.Share, r.ShareQueries = cmp.Or(f.rank.Share, request.DefaultShare), info.ShareQueries
			r.ShareHeld = shares.Held(r.Share)
		}
	}
	bar := newProgress(c.ErrOrStderr(), "measuring", len(efs))
	defer bar.end()
	o := eval.Options{
		K: f.k, Threads: f.threads, MinTime: minTime,
		Search: f.rank.Options, Batch: f.batch, Progress: bar.set,
	}
	if r.Rows, err = eval.Sweep(c.Context(), index, queries, truth.Truth, efs, o); err != nil {
		return nil, err
	}
	debug.FreeOSMemory()
	r.ResidentBytes = max(machine.Resident()-before, 0)
	return r, nil
}
