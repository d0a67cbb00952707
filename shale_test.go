package shale_test

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

var ctx = context.Background()

func random(t *testing.T, rows, dim int, seed uint64) vector.Matrix {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 7))
	data := make([]float32, rows*dim)
	for i := range data {
		data[i] = float32(r.NormFloat64())
	}
	m, err := vector.Of(data, dim)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// built builds an index of random rows. One thread, unless the options say otherwise, builds the same every time.
func built(t *testing.T, rows int, o shale.BuildOptions) *shale.Index {
	t.Helper()
	o.Threads = max(o.Threads, 1)
	x, err := shale.Build(ctx, random(t, rows, 8, 1), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func reopened(t *testing.T, path string, o shale.OpenOptions) *shale.Index {
	t.Helper()
	x, err := shale.Open(ctx, path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestEveryFormatHoldsTheSame(t *testing.T) {
	x := built(t, 300, shale.BuildOptions{Metric: vector.Cosine, M: 5})
	if err := x.Delete(3, 9); err != nil {
		t.Fatal(err)
	}
	queries := random(t, 20, 8, 2)
	want, err := x.SearchBatch(ctx, queries, 7, search.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []shale.Format{shale.Directory, shale.File, shale.Hnswlib} {
		path := filepath.Join(t.TempDir(), "x")
		if err := x.Save(ctx, path, shale.SaveOptions{Format: f}); err != nil {
			t.Fatalf("%v: %v", f, err)
		}
		if is, err := location.Detect(path); is != f || err != nil {
			t.Fatalf("saved as %v, detected as %v: %v", f, is, err)
		}
		if r, err := shale.Verify(ctx, path); err != nil || len(r.Problems) > 0 || r.Rows != 300 {
			t.Fatalf("%v: %+v, %v", f, r, err)
		}
		y := reopened(t, path, shale.OpenOptions{Metric: vector.Cosine, Dim: 8})
		got, err := y.SearchBatch(ctx, queries, 7, search.Options{Threads: 2})
		if err != nil || !slices.Equal(got.Labels, want.Labels) || !slices.Equal(got.Distances, want.Distances) {
			t.Fatalf("%v finds other neighbours: %v", f, err)
		}
		if _, err := shale.Open(ctx, path, shale.OpenOptions{Dim: 9}); !errors.Is(err, vector.ErrDim) {
			t.Fatalf("%v: opened as 9-dimensional: %v", f, err)
		}
	}
}

func TestSaveReplacesAndCleansUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	x := built(t, 50, shale.BuildOptions{})
	for range 3 {
		if err := x.Save(ctx, path, shale.SaveOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := files(t, path); !slices.Equal(got, []string{"manifest.json", "shard-0.000003.shale"}) {
		t.Fatalf("the directory holds %v", got)
	}
	if got := files(t, filepath.Dir(path)); !slices.Equal(got, []string{"x"}) {
		t.Fatalf("beside it lie %v", got)
	}
	if err := built(t, 60, shale.BuildOptions{}).Save(ctx, path, shale.SaveOptions{}); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("another index was replaced without being told to: %v", err)
	}
	if err := built(t, 60, shale.BuildOptions{}).Save(ctx, path, shale.SaveOptions{Replace: true}); err != nil {
		t.Fatal(err)
	}
	if err := x.Save(ctx, path, shale.SaveOptions{}); !errors.Is(err, shale.ErrChanged) {
		t.Fatalf("the change by another was lost: %v", err)
	}
	if n := reopened(t, path, shale.OpenOptions{}).Len(); n != 60 {
		t.Fatalf("%d rows, want 60", n)
	}
}

func TestCancelledSaveLeavesNothing(t *testing.T) {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	dir := t.TempDir()
	x := built(t, 50, shale.BuildOptions{})
	for _, f := range []shale.Format{shale.Directory, shale.File, shale.Hnswlib} {
		if err := x.Save(ended, filepath.Join(dir, "x"), shale.SaveOptions{Format: f}); !errors.Is(err, context.Canceled) {
			t.Fatalf("%v: %v", f, err)
		}
	}
	if got := files(t, dir); len(got) > 0 {
		t.Fatalf("left behind: %v", got)
	}
	path := filepath.Join(dir, "x")
	if err := x.Save(ctx, path, shale.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	before := files(t, path)
	if err := x.Save(ended, path, shale.SaveOptions{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if got := files(t, path); !slices.Equal(got, before) {
		t.Fatalf("the directory holds %v, was %v", got, before)
	}
	reopened(t, path, shale.OpenOptions{})
}

func TestSaveSparesWhatIsNoIndex(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(path, []byte("notes"), 0o644); err != nil {
		t.Fatal(err)
	}
	x := built(t, 10, shale.BuildOptions{})
	for _, p := range []string{path, dir} {
		if err := x.Save(ctx, p, shale.SaveOptions{Replace: true}); !errors.Is(err, shale.ErrNotIndex) {
			t.Fatalf("%s was replaced: %v", p, err)
		}
		if err := location.CanSave(p, location.Auto); !errors.Is(err, shale.ErrNotIndex) {
			t.Fatal(err)
		}
	}
	if err := location.CanSave(filepath.Join(dir, "none", "x"), location.Auto); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

func TestTunedEfIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	x := built(t, 200, shale.BuildOptions{})
	if inside.Of(x).Effort() != (search.Effort{Ef: 100}) {
		t.Fatalf("%+v before tuning", inside.Of(x).Effort())
	}
	x.Tune(search.Effort{Ef: 37, Slack: 0.125}, 10, 0.95)
	if err := x.Save(ctx, path, shale.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	y := reopened(t, path, shale.OpenOptions{})
	if want := (search.Effort{Ef: 37, Slack: 0.125}); inside.Of(y).Effort() != want {
		t.Fatalf("%+v, want %+v", inside.Of(y).Effort(), want)
	}
	y.Tune(search.Effort{Ef: 41}, 10, 0.96)
	if err := y.Save(ctx, path, shale.SaveOptions{TuningOnly: true}); err != nil {
		t.Fatal(err)
	}
	if z := reopened(t, path, shale.OpenOptions{}); inside.Of(z).Effort() != (search.Effort{Ef: 41}) {
		t.Fatalf("%+v, want an ef of 41", inside.Of(z).Effort())
	}
	if err := x.Save(ctx, path, shale.SaveOptions{}); err != nil {
		t.Fatalf("tuning made a new generation: %v", err)
	}
}

func TestLabelsAreCountedOn(t *testing.T) {
	x := built(t, 3, shale.BuildOptions{Labels: []uint64{10, 500, 20}})
	if err := x.AddBatch(ctx, random(t, 2, 8, 5), shale.AddOptions{}); err != nil {
		t.Fatal(err)
	}
	labels, err := x.Labels()
	slices.Sort(labels)
	if err != nil || !slices.Equal(labels, []uint64{10, 20, 500, 501, 502}) {
		t.Fatalf("labels %v, %v", labels, err)
	}
	if err := x.Add(math.MaxUint64-2, make([]float32, 8)); err != nil {
		t.Fatal(err)
	}
	if err := x.AddBatch(ctx, random(t, 2, 8, 5), shale.AddOptions{}); err == nil {
		t.Fatal("labels past the largest number")
	}
}

func TestDeleteTellsOfAFewLabels(t *testing.T) {
	x := built(t, 5, shale.BuildOptions{})
	wrong := []uint64{0}
	for i := range uint64(40) {
		wrong = append(wrong, 1000+i)
	}
	err := x.Delete(wrong...)
	if !errors.Is(err, shale.ErrLabel) || !strings.Contains(err.Error(), "and 30 more") {
		t.Fatal(err)
	}
	if x.Len() != 4 {
		t.Fatalf("%d rows", x.Len())
	}
	if err := x.Undelete(0, 3); !errors.Is(err, shale.ErrNotDeleted) || x.Len() != 5 {
		t.Fatalf("%d rows after %v", x.Len(), err)
	}
}

func TestDamagedManifest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := built(t, 20, shale.BuildOptions{}).Save(ctx, path, shale.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(path, "manifest.json")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []struct{ from, to string }{
		{`"version": 1`, `"version": 2`}, {`"shale index"`, `"else"`}, {`shard-0.000001.shale`, `../x`},
		{`"rows": 20,`, `"rows": "many",`}, {`"bytes": `, `"bytes": 1`}, {`"header_crc32c": "`, `"header_crc32c": "0`},
		{`"shards": [`, `"shards": [], "shard": [`}, {`{`, ``},
	} {
		damaged := strings.Replace(string(whole), change.from, change.to, 1)
		if damaged == string(whole) {
			t.Fatalf("%q isn't there", change.from)
		}
		if err := os.WriteFile(name, []byte(damaged), 0o644); err != nil {
			t.Fatal(err)
		}
		var wrong *store.FormatError
		if _, err := shale.Open(ctx, path, shale.OpenOptions{}); !errors.As(err, &wrong) {
			t.Errorf("%q for %q: %v", change.to, change.from, err)
		}
		if r, err := shale.Verify(ctx, path); err != nil || len(r.Problems) == 0 {
			t.Errorf("%q for %q: %+v, %v", change.to, change.from, r, err)
		}
	}
}

func TestClosed(t *testing.T) {
	x := built(t, 5, shale.BuildOptions{})
	x.Close()
	if _, err := x.Search(make([]float32, 8), 1, search.Options{}); !errors.Is(err, shale.ErrClosed) {
		t.Fatal(err)
	}
	if _, err := x.Info(); !errors.Is(err, shale.ErrClosed) {
		t.Fatal(err)
	}
	if err := x.Save(ctx, filepath.Join(t.TempDir(), "x"), shale.SaveOptions{}); !errors.Is(err, shale.ErrClosed) {
		t.Fatal(err)
	}
}

// onThreads returns o for a search on the given number of threads.
func onThreads(threads int, o search.Options) search.Options {
	o.Threads = threads
	return o
}
