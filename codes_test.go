package shale_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/coding"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// described builds an index of random rows and returns its storage and keep.
func described(t *testing.T, rows, dim int, o shale.BuildOptions) (*shale.Index, shale.Info) {
	t.Helper()
	o.M, o.EfConstruction, o.Threads = 6, 40, 1
	x, err := shale.Build(ctx, random(t, rows, dim, 1), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	info, err := x.Info()
	if err != nil {
		t.Fatal(err)
	}
	return x, info
}

func TestAutoCodes(t *testing.T) {
	for _, c := range []struct {
		dim  int
		o    shale.BuildOptions
		want string
	}{
		{8, shale.BuildOptions{}, "fp32+fp32"},
		{48, shale.BuildOptions{}, "fp32+fp32"}, // 192 bytes
		{49, shale.BuildOptions{}, "rabitq4+fp16"},
		{48, shale.BuildOptions{Rows: shale.RowsFloat16}, "fp16+fp16"},
		{49, shale.BuildOptions{Rows: shale.RowsFloat16}, "rabitq4+fp16"},
		{100, shale.BuildOptions{}, "rabitq4+fp16"},  // 64 bytes
		{128, shale.BuildOptions{}, "rabitq4+fp16"},  // 80 bytes
		{200, shale.BuildOptions{}, "rabitq4+fp16"},  // 112 bytes
		{256, shale.BuildOptions{}, "rabitq3+fp16"},  // 108 bytes, 144 with 4 bits
		{384, shale.BuildOptions{}, "rabitq2+fp16"},  // 108 bytes
		{1536, shale.BuildOptions{}, "rabitq2+fp16"}, // 396 bytes
		{384, shale.BuildOptions{Rows: shale.RowsFloat32}, "rabitq2+fp32"},
		{384, shale.BuildOptions{Metric: vector.Cosine, Codes: shale.RaBitQ1}, "rabitq1+fp16"},
		{384, shale.BuildOptions{Codes: shale.SQ8, Rows: shale.RowsFloat16}, "sq8+fp16"},
		{8, shale.BuildOptions{Codes: shale.SQ4}, "sq4+fp16"},
		{384, shale.BuildOptions{Rows: shale.RowsSQ8}, "rabitq2+sq8"},
		{100, shale.BuildOptions{Rows: shale.RowsNone}, "rabitq4+none"},
		{8, shale.BuildOptions{Rows: shale.RowsSQ8}, "rabitq8+sq8"}, // these are not walked over
		{8, shale.BuildOptions{Rows: shale.RowsNone}, "rabitq8+none"},
		{384, shale.BuildOptions{Codes: shale.SQ4, Rows: shale.RowsNone}, "sq4+none"},
		{384, shale.BuildOptions{Codes: shale.Float32}, "fp32+fp32"},
		{384, shale.BuildOptions{Codes: shale.Float16, Rows: shale.RowsFloat16}, "fp16+fp16"},
	} {
		_, info := described(t, 5, c.dim, c.o)
		if got := info.Storage + "+" + info.Keep; got != c.want {
			t.Errorf("%d values, %v+%v: %s, want %s", c.dim, c.o.Codes, c.o.Rows, got, c.want)
		}
	}
}

func TestNewKeepsHalvesOfCosineOnly(t *testing.T) {
	for metric, want := range map[vector.Metric]string{vector.L2: "fp32", vector.IP: "fp32", vector.Cosine: "fp16"} {
		x, err := shale.New(100, shale.BuildOptions{Metric: metric})
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		if info, err := x.Info(); err != nil || info.Keep != want {
			t.Errorf("%v: keeps %s, want %s, %v", metric, info.Keep, want, err)
		}
	}
}

func TestWalkedRowsAreTheRowsKept(t *testing.T) {
	for _, o := range []shale.BuildOptions{
		{Codes: shale.Float32, Rows: shale.RowsFloat16}, {Codes: shale.Float16, Rows: shale.RowsFloat32},
		{Codes: shale.Float32, Rows: shale.RowsSQ8}, {Codes: shale.Float16, Rows: shale.RowsSQ8},
		{Codes: shale.Float32, Rows: shale.RowsNone}, {Codes: shale.Float16, Rows: shale.RowsNone},
		{Codes: "sq99"}, {Rows: "sq99"},
	} {
		if x, err := shale.New(8, o); err == nil {
			x.Close()
			t.Errorf("%v with %v was built", o.Codes, o.Rows)
		}
	}
}

func TestHalfIsSafe(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		what                string
		offset, size, outer float32
		safe, cosine        bool
	}{
		{"usual", 0, 1, 0, true, true}, {"bytes", 100, 50, 0, true, true}, {"large", 0, 500, 3000, false, true},
		{"past all halves", 0, 1, 1e5, false, true}, {"tiny", 0, 1e-5, 0, false, true},
		{"far from zero", 1000, 1, 0, false, false},
	} {
		data := make([]float32, 400)
		for i := range data {
			data[i] = c.offset + c.size*(2*r.Float32()-1)
		}
		data[399] += c.outer
		m, err := vector.Of(data, 4)
		if err != nil {
			t.Fatal(err)
		}
		if got := shale.HalfIsSafe(m, vector.L2); got != c.safe {
			t.Errorf("%s: %v", c.what, got)
		}
		if got := shale.HalfIsSafe(m, vector.Cosine); got != c.cosine {
			t.Errorf("%s, cosine: %v", c.what, got)
		}
	}
}

// TestHalfIsSafeForEveryRow: neither few tiny rows nor tight groups far from each other are lost among the others.
func TestHalfIsSafeForEveryRow(t *testing.T) {
	const n, dim = 600, 16
	r := rand.New(rand.NewPCG(3, 4))
	usual, tiny, groups := make([]float32, n*dim), make([]float32, n*dim), make([]float32, n*dim)
	center := make([]float32, 20*dim)
	for i := range center {
		center[i] = 100 * float32(r.NormFloat64())
	}
	for i := range usual {
		usual[i] = float32(r.NormFloat64())
		tiny[i] = usual[i]
		if i/dim == 77 {
			tiny[i] *= 1e-6
		}
		groups[i] = center[i/dim%20*dim+i%dim] + usual[i]/100
	}
	for name, c := range map[string]struct {
		data         []float32
		safe, cosine bool
	}{"usual": {usual, true, true}, "one tiny row": {tiny, false, true}, "tight groups": {groups, false, false}} {
		m, err := vector.Of(c.data, dim)
		if err != nil {
			t.Fatal(err)
		}
		for _, metric := range []vector.Metric{vector.L2, vector.IP, vector.Cosine} {
			want := c.safe
			if metric == vector.Cosine {
				want = c.cosine
			}
			if got := shale.HalfIsSafe(m, metric); got != want {
				t.Errorf("%s, %v: %v", name, metric, got)
			}
		}
	}
}

func TestEveryStorageIsSavedAndSearched(t *testing.T) {
	race.SkipSequential(t)
	queries := random(t, 30, 60, 2)
	all := map[string]shale.BuildOptions{
		"rabitq2 with sq8": {Codes: shale.RaBitQ2, Rows: shale.RowsSQ8},
		"rabitq8 alone":    {Codes: shale.RaBitQ8, Rows: shale.RowsNone},
		"sq4 alone":        {Codes: shale.SQ4, Rows: shale.RowsNone},
		"pq alone":         {Codes: shale.PQ, Rows: shale.RowsNone, PQ: shale.PQOptions{Bits: 4}},
		"pq with sq8":      {Codes: shale.PQ, Rows: shale.RowsSQ8, PQ: shale.PQOptions{Subvectors: 15, Rotate: true}},
	}
	for _, name := range coding.CodesNames() {
		all[name] = shale.BuildOptions{Codes: shale.Codes(name)}
	}
	for name, o := range all {
		x, info := described(t, 1200, 60, o)
		if coded := info.CodeBytes > 0; coded != strings.ContainsAny(info.Storage, "q") {
			t.Fatalf("%s: %d bytes of codes", name, info.CodeBytes)
		}
		path := filepath.Join(t.TempDir(), "x")
		if err := x.Save(ctx, path, shale.SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		if m, err := manifest.Read(path); err != nil || m.Storage != info.Storage || m.Keep != info.Keep {
			t.Fatalf("%s: %v, the manifest has %s and %s", name, err, m.Storage, m.Keep)
		}
		y := reopened(t, path, shale.OpenOptions{})
		again, err := y.Info()
		again.MemoryBytes = info.MemoryBytes // without the map from labels, which the first change makes
		if err != nil || fmt.Sprint(again) != fmt.Sprint(info) {
			t.Fatalf("%s: %+v, was %+v, %v", name, again, info, err)
		}
		for _, rerank := range []int{0, 7, 40} {
			o := search.Options{Ef: 60, Rerank: rerank}
			want, err := x.SearchBatch(ctx, queries, 7, onThreads(1, o))
			if err != nil {
				t.Fatal(err)
			}
			got, err := y.SearchBatch(ctx, queries, 7, onThreads(1, o))
			if err != nil || !slices.Equal(got.Labels, want.Labels) || !slices.Equal(got.Distances, want.Distances) {
				t.Fatalf("%s, rerank %d: other neighbours are found, %v", name, rerank, err)
			}
			checkReranked(t, y, queries, rerank, info.CodeBytes > 0 && info.Keep != "none")
		}
	}
}

// checkReranked tests how many candidates get exact distances.
func checkReranked(t *testing.T, x *shale.Index, queries vector.Matrix, rerank int, coded bool) {
	t.Helper()
	query := make([]float32, queries.Dim())
	queries.Decode(0, query)
	var stats search.Stats
	if _, err := x.Search(query, 7, search.Options{Ef: 60, Rerank: rerank, Stats: &stats}); err != nil {
		t.Fatal(err)
	}
	switch n := stats.Reranked; {
	case !coded && n != 0, coded && rerank > 0 && n != rerank, coded && n < 7:
		t.Fatalf("%d rows were read for a rerank of %d, codes: %v", n, rerank, coded)
	}
}
