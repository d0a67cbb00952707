package collection

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/vector"
)

// builtIndex builds an index directory of rows (label, 0, 0, 0).
func builtIndex(t *testing.T, o shale.BuildOptions, labels ...uint64) string {
	t.Helper()
	values := make([]float32, 4*len(labels))
	for i, label := range labels {
		values[4*i] = float32(label % 1000)
	}
	rows, err := vector.Of(values, 4)
	if err != nil {
		t.Fatal(err)
	}
	o.Path, o.Labels = filepath.Join(t.TempDir(), "index"), labels
	x, err := shale.Build(context.Background(), rows, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	return o.Path
}

// TestCreateFrom makes a collection of an index, writes to it, merges it, and searches.
func TestCreateFrom(t *testing.T) {
	index := builtIndex(t, shale.BuildOptions{}, 7, 3, 12, 5, 20)
	dir := filepath.Join(t.TempDir(), "c")
	if err := CreateFrom(context.Background(), dir, Schema{}, index); err != nil {
		t.Fatal(err)
	}
	own, err := os.Stat(filepath.Join(index, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	linked, err := os.Stat(filepath.Join(segmentPath(dir, 0, 0), "manifest.json"))
	if err != nil || !os.SameFile(own, linked) {
		t.Errorf("the manifest is another file, %v", err)
	}
	c := opened(t, dir, Options{})
	check := func(when, want string) {
		t.Helper()
		listed, err := c.Scroll(context.Background(), ScrollOptions{Fields: Fields{Vectors: true}})
		if err != nil || text(t, listed) != want {
			t.Errorf("%s: listed %s, %v", when, text(t, listed), err)
		}
	}
	check("at first", `[{"id":3,"vector":[3,0,0,0]},{"id":5,"vector":[5,0,0,0]},{"id":7,"vector":[7,0,0,0]},`+
		`{"id":12,"vector":[12,0,0,0]},{"id":20,"vector":[20,0,0,0]}]`)
	if n, err := c.Delete(context.Background(), NumberID(7), NumberID(8)); n != 1 || err != nil {
		t.Errorf("%d documents were deleted, %v", n, err)
	}
	mustUpsert(t, c, Document{ID: NumberID(5), Vector: []float32{0, 5, 0, 0}},
		Document{ID: NumberID(8), Vector: []float32{8, 0, 0, 0}})
	want := `[{"id":3,"vector":[3,0,0,0]},{"id":5,"vector":[0,5,0,0]},{"id":8,"vector":[8,0,0,0]},` +
		`{"id":12,"vector":[12,0,0,0]},{"id":20,"vector":[20,0,0,0]}]`
	check("after changes", want)
	if hits := mustQuery(t, c, Query{Near: [][]float32{{7, 0, 0, 0}}, K: 2})[0]; hits[0].ID != NumberID(8) ||
		hits[1].ID != NumberID(3) {
		t.Errorf("found %s", text(t, hits))
	}
	if err := c.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	check("compacted", want)
	verified(t, c, 5)
	if r, err := shale.Verify(context.Background(), index); err != nil || len(r.Problems) != 0 || r.Rows != 5 {
		t.Errorf("the index became %+v, %v", r, err)
	}
}

// TestCreateFromChanged makes a collection of an index of several shards that was changed beside them, and merges it.
func TestCreateFromChanged(t *testing.T) {
	ctx := context.Background()
	var labels []uint64
	for l := range uint64(200) {
		labels = append(labels, l)
	}
	index := builtIndex(t, shale.BuildOptions{Shards: 3, Threads: 1}, labels...)
	x, err := shale.Open(ctx, index, shale.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	more, err := vector.Of([]float32{300, 0, 0, 0, 9, 9, 0, 0}, 4)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(x.AddBatch(ctx, more, shale.AddOptions{Labels: []uint64{300, 9}}), x.Delete(7),
		x.Save(ctx, index, shale.SaveOptions{Replace: true}), x.Close())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "c")
	if err := CreateFrom(ctx, dir, Schema{}, index); err != nil {
		t.Fatal(err)
	}
	c := opened(t, dir, Options{})
	mustUpsert(t, c, Document{ID: NumberID(11), Vector: []float32{0, 11, 0, 0}})
	for _, when := range []string{"at first", "compacted"} {
		got := mustGet(t, c, NumberID(7), NumberID(9), NumberID(11), NumberID(300), NumberID(12))
		if want := `[{"id":9,"vector":[9,9,0,0]},{"id":11,"vector":[0,11,0,0]},{"id":300,"vector":[300,0,0,0]},` +
			`{"id":12,"vector":[12,0,0,0]}]`; text(t, got) != want {
			t.Errorf("%s: %s", when, text(t, got))
		}
		if hits := mustQuery(t, c, Query{Near: [][]float32{{9, 9, 0, 0}}, K: 1})[0]; hits[0].ID != NumberID(9) {
			t.Errorf("%s: found %s", when, text(t, hits))
		}
		if err := c.Compact(ctx); err != nil {
			t.Fatal(err)
		}
	}
	verified(t, c, 200)
}

// TestCreateFromOthers refuses what can't be the segment of a collection.
func TestCreateFromOthers(t *testing.T) {
	index := builtIndex(t, shale.BuildOptions{}, 1, 2, 3)
	dir := filepath.Join(t.TempDir(), "c")
	for name, c := range map[string]struct {
		s    Schema
		path string
		is   error
	}{
		"other dimensions": {Schema{Vectors: []Vector{{Dim: 5}}}, index, ErrInvalid},
		"another metric":   {Schema{Vectors: []Vector{{Dim: 4, Metric: vector.IP}}}, index, ErrInvalid},
		"two vectors":      {Schema{Vectors: []Vector{{Name: "a", Dim: 4}, {Name: "b", Dim: 4}}}, index, ErrInvalid},
		"scattered labels": {Schema{}, builtIndex(t, shale.BuildOptions{}, 1, 1<<40), ErrInvalid},
		"a huge label":     {Schema{}, builtIndex(t, shale.BuildOptions{}, 1<<63), ErrInvalid},
		"nothing":          {Schema{}, index + "-none", os.ErrNotExist},
		"a folder":         {Schema{}, t.TempDir(), shale.ErrNotIndex},
	} {
		if err := CreateFrom(context.Background(), dir, c.s, c.path); !errors.Is(err, c.is) {
			t.Errorf("%s: the error is %v", name, err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Fatalf("%s: a collection was made", name)
		}
	}
}
