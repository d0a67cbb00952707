package hnswlib

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// fixtureNames are the files that hnswlib 0.8.0 saved, each with its answers; testdata/cross.py makes them.
var fixtureNames = []string{"l2", "ip", "cosine", "deleted", "resized", "empty", "one"}

// fixture is what hnswlib knows of an index that it saved.
type fixture struct {
	Space       string      `json:"space"`
	Dim         int         `json:"dim"`
	MaxElements int         `json:"max_elements"`
	Count       int         `json:"count"`
	M           int         `json:"m"`
	Queries     [][]float32 `json:"queries"`
	Labels      [][]uint64  `json:"labels"`
	Distances   [][]float32 `json:"distances"`

	Rows    [][]float32 `json:"rows"` // of a graph: those that belong to it
	Deleted []uint64    `json:"deleted"`
}

func (f *fixture) options(t *testing.T) Options {
	metric, err := vector.ParseMetric(f.Space)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Dim: f.Dim, Metric: metric, FixedCapacity: true}
}

func fixturePath(name string) string { return filepath.Join("testdata", name+".bin") }

func loadFixture(t *testing.T, name string) *fixture {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{}
	if err := json.Unmarshal(b, f); err != nil {
		t.Fatal(err)
	}
	return f
}

// answersLike fails unless x answers the fixture's queries as hnswlib did.
func answersLike(t *testing.T, x *hnsw.Reader, f *fixture) {
	t.Helper()
	for i, q := range f.Queries {
		want := f.Labels[i]
		if len(want) == 0 {
			continue
		}
		found, err := x.Search(q, len(want), search.Options{Ef: f.Count})
		if err != nil {
			t.Fatal(err)
		}
		var labels []uint64
		for j, n := range found {
			labels = append(labels, n.Label)
			if d := f.Distances[i][j]; math.Abs(float64(n.Distance-d)) > 1e-5*math.Max(1, math.Abs(float64(d))) {
				t.Errorf("query %d, place %d: distance %v, hnswlib has %v", i, j, n.Distance, d)
			}
		}
		if !slices.Equal(labels, want) {
			t.Errorf("query %d: labels %v, hnswlib has %v", i, labels, want)
		}
	}
}

func TestFixtures(t *testing.T) {
	for _, name := range fixtureNames {
		t.Run(name, func(t *testing.T) {
			f := loadFixture(t, name)
			x, err := Read(context.Background(), fixturePath(name), f.options(t))
			if err != nil {
				t.Fatal(err)
			}
			defer x.Close()
			c := x.Config()
			if x.Len() != f.Count || x.Capacity() != f.MaxElements || c.M != f.M || c.Dim != f.Dim || c.EfConstruction != 40 {
				t.Errorf("%d elements, room for %d, %+v; hnswlib has %+v", x.Len(), x.Capacity(), c, f)
			}
			answersLike(t, &x.Reader, f)
		})
	}
}

// What is written is read again as it was, whatever hnswlib left behind a list's end.
func TestRewrittenFixtures(t *testing.T) {
	ctx := context.Background()
	for _, name := range fixtureNames {
		t.Run(name, func(t *testing.T) {
			f := loadFixture(t, name)
			x, err := Read(ctx, fixturePath(name), f.options(t))
			if err != nil {
				t.Fatal(err)
			}
			defer x.Close()
			path := filepath.Join(t.TempDir(), "index.bin")
			if err := Write(ctx, path, x); err != nil {
				t.Fatal(err)
			}
			original, err := os.Stat(fixturePath(name))
			if err != nil {
				t.Fatal(err)
			}
			rewritten, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if size, err := Size(x); err != nil || rewritten.Size() != original.Size() || size != original.Size() {
				t.Errorf("%d bytes, said to be %d, %v; hnswlib wrote %d", rewritten.Size(), size, err, original.Size())
			}
			again, err := Read(ctx, path, f.options(t))
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			sameContent(t, x, again)
			answersLike(t, &again.Reader, f)
		})
	}
}

func TestFlatFixture(t *testing.T) {
	ctx := context.Background()
	x, err := ReadFlat(ctx, filepath.Join("testdata", "l2.flat"), Options{Dim: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	labels, err := x.Labels()
	if err != nil || x.Capacity() != 12 || !slices.Equal(labels, []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8}) {
		t.Fatalf("room for %d, labels %v, %v", x.Capacity(), labels, err)
	}
	path := filepath.Join(t.TempDir(), "flat")
	if err := WriteFlat(ctx, path, x); err != nil {
		t.Fatal(err)
	}
	a, err := os.ReadFile(filepath.Join("testdata", "l2.flat"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	used := flatHeaderSize + 9*(3*4+labelSize)
	if len(a) != len(b) || !slices.Equal(a[:used], b[:used]) {
		t.Fatal("the file that was written differs")
	}
}
