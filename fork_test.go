package shale_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/hnswlib"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// forkOf writes a directory of three shards of rows.
func forkOf(t *testing.T, rows vector.Matrix) string {
	t.Helper()
	dir, n := filepath.Join(t.TempDir(), "fork"), rows.Rows()
	for i := range 3 {
		from, to := i*n/3, (i+1)*n/3
		if err := shard.BuildForkShard(ctx, dir, rows.Slice(from, to),
			shard.ForkShardOptions{Shard: i, Start: from, Threads: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := shard.WriteForkMeta(dir, hnswlib.IndexMeta{Shards: 3, Total: n, Dim: rows.Dim(), M: 8,
		EfConstruction: 200}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// attached opens an external index, with its rows.
func attached(t *testing.T, path string, rows vector.Matrix, o shale.OpenOptions) *shale.Index {
	t.Helper()
	x := reopened(t, path, o)
	if !inside.Of(x).External() {
		t.Fatalf("%s isn't external", path)
	}
	if err := x.Attach(rows, false); err != nil {
		t.Fatal(err)
	}
	return x
}

// External shards are the same index in each format that holds several, mapped or not.
func TestForkDirectory(t *testing.T) {
	rows, queries := random(t, 900, 12, 1), random(t, 20, 12, 2)
	dir := forkOf(t, rows)
	if f, err := location.Detect(dir); err != nil || f != shale.ForkShards {
		t.Fatalf("detected as %v, %v", f, err)
	}
	if r, err := shale.Verify(ctx, dir); err != nil || len(r.Problems) > 0 || r.Rows != 900 || r.Reachable < 890 {
		t.Fatalf("%+v, %v", r, err)
	}
	x := attached(t, dir, rows, shale.OpenOptions{Dim: 12})
	want, err := x.SearchBatch(ctx, queries, 7, search.Options{Threads: 2, Ef: 50})
	if err != nil {
		t.Fatal(err)
	}
	native, again := filepath.Join(t.TempDir(), "native"), filepath.Join(t.TempDir(), "again")
	for range 2 { // the second time in the place of the first
		if err := x.Save(ctx, native, shale.SaveOptions{Replace: true, Vectors: "rows.npy"}); err != nil {
			t.Fatal(err)
		}
	}
	other := attached(t, dir, rows, shale.OpenOptions{})
	if err := other.Save(ctx, native, shale.SaveOptions{}); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("an index was replaced unasked: %v", err)
	}
	if err := x.Save(ctx, native, shale.SaveOptions{}); err != nil {
		t.Fatalf("an index can't be saved to where it was: %v", err)
	}
	if err := attached(t, native, rows, shale.OpenOptions{}).Save(ctx, again,
		shale.SaveOptions{Format: shale.ForkShards}); err != nil {
		t.Fatal(err)
	}
	if r, err := shale.Verify(ctx, native); err != nil || len(r.Problems) > 0 || r.Rows != 900 {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, path := range []string{dir, native, again} {
		for _, o := range []shale.OpenOptions{{}, {Mapped: true}, {Memory: 1 << 30}} {
			y := attached(t, path, rows, o)
			got, err := y.SearchBatch(ctx, queries, 7, search.Options{Threads: 2, Ef: 50})
			if err != nil || !slices.Equal(got.Labels, want.Labels) || !slices.Equal(got.Distances, want.Distances) {
				t.Fatalf("%s, %+v finds other neighbours: %v", path, o, err)
			}
		}
	}
	if err := x.Save(ctx, filepath.Join(t.TempDir(), "x"), shale.SaveOptions{Format: shale.Graph}); err == nil {
		t.Fatal("three graphs became one")
	}
	if _, err := shale.Open(ctx, dir, shale.OpenOptions{Dim: 13}); !errors.Is(err, vector.ErrDim) {
		t.Fatalf("opened as 13-dimensional: %v", err)
	}
	if _, err := shale.Open(ctx, dir, shale.OpenOptions{Memory: 1 << 10}); !errors.Is(err, shard.ErrMemory) {
		t.Fatalf("opened in 1 KiB: %v", err)
	}
}

// Labels that are the whole index's are told as they are.
func TestForkGlobalLabels(t *testing.T) {
	rows := random(t, 900, 12, 1)
	x := attached(t, forkOf(t, rows), rows, shale.OpenOptions{LabelsAreGlobal: true})
	query := make([]float32, 12)
	rows.Decode(700, query)
	found, err := x.Search(query, 1, search.Options{Ef: 100})
	if err != nil || len(found) != 1 || found[0].Label != 100 {
		t.Fatalf("found %v, %v", found, err)
	}
}

func TestForkDamageIsTold(t *testing.T) {
	dir := forkOf(t, random(t, 300, 4, 1))
	path := filepath.Join(dir, "shard_1.graph")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b[:len(b)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := shale.Verify(ctx, dir)
	var bad *store.FormatError
	if err != nil || len(r.Problems) != 1 || !errors.As(r.Problems[0], &bad) || bad.File != path {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := shale.Open(ctx, dir, shale.OpenOptions{}); !errors.As(err, &bad) {
		t.Fatalf("opened: %v", err)
	}
}

// TestGraphFile goes from an index with rows to an external one and back.
func TestGraphFile(t *testing.T) {
	rows, queries := random(t, 300, 12, 1), random(t, 20, 12, 2)
	x, err := shale.Build(ctx, rows, shale.BuildOptions{Codes: shale.Float32, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	want, err := x.SearchBatch(ctx, queries, 5, search.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	graph := filepath.Join(t.TempDir(), "x.graph")
	if err := x.Save(ctx, graph, shale.SaveOptions{Format: shale.Graph}); err != nil {
		t.Fatal(err)
	}
	if f, err := location.Detect(graph); err != nil || f != shale.Graph {
		t.Fatalf("detected as %v, %v", f, err)
	}
	for _, mapped := range []bool{false, true} {
		y := attached(t, graph, rows, shale.OpenOptions{Mapped: mapped})
		for _, f := range []shale.Format{shale.Directory, shale.File, shale.Hnswlib, shale.Graph, shale.ForkShards} {
			path := filepath.Join(t.TempDir(), "y")
			if err := y.Save(ctx, path, shale.SaveOptions{Format: f}); err != nil {
				t.Fatalf("%v: %v", f, err)
			}
			z := reopened(t, path, shale.OpenOptions{})
			if inside.Of(z).External() {
				err = z.Attach(rows, false)
			}
			if err != nil {
				t.Fatalf("%v: %v", f, err)
			}
			got, err := z.SearchBatch(ctx, queries, 5, search.Options{Threads: 1})
			if err != nil || !slices.Equal(got.Labels, want.Labels) || !slices.Equal(got.Distances, want.Distances) {
				t.Fatalf("%v finds other neighbours: %v", f, err)
			}
		}
	}
}
