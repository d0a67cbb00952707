package shale_test

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/dataset"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// npyOf writes rows to a file and gives it as a source.
func npyOf(t *testing.T, rows vector.Matrix) *dataset.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rows.npy")
	err := dataset.Write(path, rows.Type(), rows.Dim(), func(put func(vector.Matrix) error) error { return put(rows) })
	if err != nil {
		t.Fatal(err)
	}
	f, err := dataset.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// buildAt builds an index on disk and closes it. One thread, unless the options say otherwise, builds the same every
// time.
func buildAt(ctx context.Context, src shale.Source, o shale.BuildOptions) error {
	if o.Threads == 0 {
		o.Threads = 1
	}
	x, err := shale.Build(ctx, src, o)
	if err != nil {
		return err
	}
	return x.Close()
}

func labelsFrom(first uint64, n int) []uint64 {
	labels := make([]uint64, n)
	for i := range labels {
		labels[i] = first + uint64(i)
	}
	return labels
}

// A file, rows in memory, one graph and several shards all give an index that finds its rows under their labels.
func TestBuildAtAPath(t *testing.T) {
	rows := random(t, 2000, 64, 1)
	for name, src := range map[string]shale.Source{"file": npyOf(t, rows), "memory": rows} {
		for _, shards := range []int{0, 3} {
			dir := filepath.Join(t.TempDir(), "index")
			told := 0
			o := shale.BuildOptions{
				Path: dir, Metric: vector.Cosine, Labels: labelsFrom(500, 2000), Shards: shards,
				Progress: func(_ string, done, total int) { told = max(told, done) },
			}
			if err := buildAt(ctx, src, o); err != nil {
				t.Fatalf("%s, %d shards: %v", name, shards, err)
			}
			x := reopened(t, dir, shale.OpenOptions{})
			info, err := x.Info()
			if err != nil || info.Rows != 2000 || info.Shards != max(shards, 1) || told != 2000 || info.Keep != "fp16" {
				t.Errorf("%s, %d shards: %+v, %v, told of %d", name, shards, info, err, told)
			}
			found, err := x.Search(vector.Row[float32](rows, 7), 1, search.Options{Ef: 200})
			if err != nil || found[0].Label != 507 {
				t.Errorf("%s, %d shards: %v, %v", name, shards, found, err)
			}
			if err := buildAt(ctx, src, o); !errors.Is(err, fs.ErrExist) {
				t.Errorf("over an index: %v", err)
			}
		}
	}
}

// Rows too large for halves are kept in full, whether they come from a file or from memory.
func TestBuildKeepsWhatTheRowsNeed(t *testing.T) {
	race.SkipSequential(t)
	rows := random(t, 1500, 64, 1)
	large := vector.Row[float32](rows, 1499)
	large[3] = 1e6
	for name, src := range map[string]shale.Source{"file": npyOf(t, rows), "memory": rows} {
		x, err := shale.Build(ctx, src, shale.BuildOptions{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		info, err := x.Info()
		if err != nil || info.Keep != "fp32" || info.Rows != 1500 {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
		if err := x.Close(); err != nil {
			t.Error(err)
		}
		if _, err := shale.Build(ctx, src, shale.BuildOptions{Labels: labelsFrom(0, 3)}); err == nil {
			t.Errorf("%s: three labels are taken for all rows", name)
		}
	}
}

// What a filter allows is found in whichever shard it lies.
func TestSearchesWithFiltersLookIntoAllShards(t *testing.T) {
	rows := random(t, 3000, 16, 1)
	dir := filepath.Join(t.TempDir(), "index")
	if err := buildAt(ctx, rows, shale.BuildOptions{Path: dir, Shards: 4}); err != nil {
		t.Fatal(err)
	}
	divided := reopened(t, dir, shale.OpenOptions{})
	whole, err := shale.Build(ctx, rows, shale.BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	const queries = 60
	for name, x := range map[string]*shale.Index{"one graph": whole, "shards": divided} {
		for label := range uint64(queries) {
			found, err := x.Search(vector.Row[float32](rows, 0), 2, search.Options{Filter: search.FilterLabels(label * 50)})
			if err != nil || len(found) != 1 || found[0].Label != label*50 {
				t.Errorf("%s: label %d: %v, %v", name, label*50, found, err)
			}
		}
		filters, want := make([]*search.Filter, queries), make([]uint64, queries)
		for q := range filters {
			want[q] = uint64(2999 - q)
			filters[q] = search.FilterLabels(want[q])
		}
		out := search.Results{K: 1, Labels: make([]uint64, queries), Distances: make([]float32, queries),
			Counts: make([]int, queries)}
		if err := inside.Of(x).SearchBatchInto(ctx, rows.Slice(0, queries), &out,
			search.Options{Filters: filters, Threads: 2}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(out.Labels, want) {
			t.Errorf("%s: %v", name, out.Labels)
		}
	}
}

func TestIndexOfGraph(t *testing.T) {
	x := inside.IndexOf(inside.Of(built(t, 300, shale.BuildOptions{Metric: vector.IP})).Graph()).(*shale.Index)
	if x.Len() != 300 || x.Metric() != vector.IP || inside.Of(x).Effort().Ef != 100 {
		t.Errorf("%d rows, %v, %+v", x.Len(), x.Metric(), inside.Of(x).Effort())
	}
	if err := x.Add(1000, make([]float32, 8)); err != nil || x.Len() != 301 {
		t.Errorf("%v, %d rows", err, x.Len())
	}
}
