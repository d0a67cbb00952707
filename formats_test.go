package shale

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// updateFormats makes TestFormats write testdata/formats anew.
var updateFormats = flag.Bool("formats.update", false, "write testdata/formats anew with this version's writers")

const (
	formatsDir   = "testdata/formats"
	formatsRows  = 150
	formatsDim   = 16
	formatsK     = 10
	formatsCount = 8 // queries
)

// formatFile is one index of testdata/formats.
type formatFile struct {
	name  string
	build BuildOptions
	save  Format // Auto where the index is built at its path
}

func formatFiles() []formatFile {
	one := BuildOptions{Metric: vector.L2, Codes: Float32, Rows: RowsFloat32, M: 6, EfConstruction: 60, Threads: 1}
	with := func(change func(*BuildOptions)) BuildOptions {
		o := one
		change(&o)
		return o
	}
	return []formatFile{
		{"directory", one, Directory},
		{"float16", with(func(o *BuildOptions) { o.Codes, o.Rows = Float16, RowsFloat16 }), Directory},
		{"rabitq.shale", with(func(o *BuildOptions) { o.Codes, o.Metric = RaBitQ4, vector.Cosine }), File},
		{"sq8.shale", with(func(o *BuildOptions) { o.Codes, o.Rows = SQ8, RowsSQ8 }), File},
		{"pq", with(func(o *BuildOptions) { o.Codes, o.PQ = PQ, PQOptions{Bits: 4, Subvectors: 8} }), Directory},
		{"external", with(func(o *BuildOptions) { o.External = true }), Directory},
		{"shards", with(func(o *BuildOptions) { o.Shards, o.Centroids = 3, 4 }), location.Auto},
		{"blocks", with(func(o *BuildOptions) { o.Codes, o.Blocks = RaBitQ4, true }), location.Auto},
		{"live.shale", with(func(o *BuildOptions) { o.Live = true }), location.Auto},
		{"hnswlib.bin", one, Hnswlib},
		{"graph.graph", with(func(o *BuildOptions) { o.External = true }), Graph},
		{"hnswlibmmap", with(func(o *BuildOptions) { o.External = true }), ForkShards},
	}
}

// formatRows are the rows of every index, or queries, which any machine makes alike.
func formatRows(seed uint64, rows int) vector.Matrix {
	rnd := rand.New(rand.NewPCG(seed, 1))
	values := make([]float32, rows*formatsDim)
	for i := range values {
		values[i] = float32(rnd.IntN(2001)-1000) / 1024
	}
	m, err := vector.Of(values, formatsDim)
	if err != nil {
		panic(err)
	}
	return m
}

// formatResults are the neighbours of each query.
type formatResults map[string][][]search.Neighbor

// TestFormats opens, verifies and searches an index in every format, as it was written when the format was new. What it
// finds must be what was found then.
func TestFormats(t *testing.T) {
	ctx := context.Background()
	notes := filepath.Join(formatsDir, "results.json")
	want := formatResults{}
	if *updateFormats {
		writeFormats(t, ctx)
	} else if b, err := os.ReadFile(notes); err != nil {
		t.Fatal(err)
	} else if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	got := formatResults{}
	for _, f := range formatFiles() {
		t.Run(f.name, func(t *testing.T) {
			got[f.name] = f.search(t, ctx)
			if !*updateFormats {
				compareNeighbors(t, got[f.name], want[f.name])
			}
		})
	}
	if !*updateFormats {
		return
	}
	b, err := json.Marshal(got)
	if err == nil {
		err = os.WriteFile(notes, append(b, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func writeFormats(t *testing.T, ctx context.Context) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(formatsDir), os.MkdirAll(formatsDir, 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, f := range formatFiles() {
		path := filepath.Join(formatsDir, f.name)
		if f.save == location.Auto {
			f.build.Path = path
		}
		x, err := Build(ctx, formatRows(1, formatsRows), f.build)
		if err == nil && f.save != location.Auto {
			err = x.Save(ctx, path, SaveOptions{Format: f.save})
		}
		if err == nil {
			err = x.Close()
		}
		if err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
	}
}

// search opens a copy of the index, since a live file notes who has it open, verifies it, and finds neighbours.
func (f *formatFile) search(t *testing.T, ctx context.Context) [][]search.Neighbor {
	path := filepath.Join(t.TempDir(), f.name)
	if err := copyIndex(path, filepath.Join(formatsDir, f.name)); err != nil {
		t.Fatal(err)
	}
	report, err := Verify(ctx, path)
	if err != nil || len(report.Problems) > 0 || report.Rows != formatsRows {
		t.Fatalf("%d rows, %v, %v", report.Rows, report.Problems, err)
	}
	o := OpenOptions{}
	if f.save == Hnswlib || f.save == Graph || f.save == ForkShards {
		o.Metric, o.Dim = f.build.Metric, formatsDim
	}
	x, err := Open(ctx, path, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}()
	if f.build.External {
		if err := x.Attach(formatRows(1, formatsRows), false); err != nil {
			t.Fatal(err)
		}
	}
	var all [][]search.Neighbor
	queries, query := formatRows(2, formatsCount), make([]float32, formatsDim)
	for i := range formatsCount {
		queries.Decode(i, query)
		found, err := x.Search(query, formatsK, search.Options{Ef: 50})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found)
	}
	return all
}

func copyIndex(to, from string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.CopyFS(to, os.DirFS(from))
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

// compareNeighbors wants the same labels in the same order. Distances may differ in the last bits, by the kernel.
func compareNeighbors(t *testing.T, got, want [][]search.Neighbor) {
	t.Helper()
	same := func(a, b search.Neighbor) bool {
		return a.Label == b.Label && math.Abs(float64(a.Distance-b.Distance)) <= 1e-5*(1+math.Abs(float64(b.Distance)))
	}
	if len(got) != len(want) {
		t.Fatalf("%d queries, %d in the file", len(got), len(want))
	}
	for i := range got {
		if !slices.EqualFunc(got[i], want[i], same) {
			t.Errorf("query %d finds\n%v, not\n%v", i, got[i], want[i])
		}
	}
}
