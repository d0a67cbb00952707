package shale_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/search"
)

// onePerKind are indexes of 300 rows: a graph, and several shards with copies.
func onePerKind(t *testing.T) map[string]*shale.Index {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shards")
	o := shale.BuildOptions{Path: path, Threads: math.MaxInt, Shards: 3, Copies: 1.5, Centroids: math.MaxInt}
	if err := buildAt(ctx, random(t, 300, 8, 1), o); err != nil {
		t.Fatal(err)
	}
	return map[string]*shale.Index{
		"graph": built(t, 300, shale.BuildOptions{}), "shards": reopened(t, path, shale.OpenOptions{}),
	}
}

func TestNumbersFarAboveTheRows(t *testing.T) {
	q := random(t, 4, 8, 2)
	for name, x := range onePerKind(t) {
		o := search.Options{Ef: math.MaxInt, Rerank: math.MaxInt, Probes: math.MaxInt, Threads: math.MaxInt}
		out, err := x.SearchBatch(ctx, q, math.MaxInt32, onThreads(math.MaxInt, o))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if out.K < 300 || out.K > 600 || len(out.Labels) != 4*out.K {
			t.Errorf("%s: rows of %d results", name, out.K)
		}
		for i, n := range out.Counts {
			if n != 300 {
				t.Errorf("%s: query %d has %d results of 300", name, i, n)
			}
		}
		if found, err := x.Search(make([]float32, 8), math.MaxInt32, o); err != nil || len(found) != 300 {
			t.Errorf("%s: %d results, %v", name, len(found), err)
		}
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	q, one := random(t, 4, 8, 2), make([]float32, 8)
	for name, x := range onePerKind(t) {
		for _, c := range []struct {
			k    int
			o    search.Options
			says string
		}{
			{k: -1, says: "k is -1"},
			{k: math.MaxInt, says: "at most 2147483647"},
			{k: 1, o: search.Options{Ef: -1}, says: "ef is -1, not at least 0"},
			{k: 1, o: search.Options{Rerank: -1}, says: "rerank is -1, not at least 0"},
			{k: 1, o: search.Options{Ef: 5, Slack: float32(math.NaN())}, says: "slack is NaN"},
			{k: 1, o: search.Options{Probes: -2}, says: "probes are -2, not at least 0"},
			{k: 1, o: search.Options{Share: math.NaN()}, says: "a share of NaN is not 0 to 1"},
			{k: 1, o: search.Options{Share: 1.5}, says: "a share of 1.5 is not 0 to 1"},
			{k: 1, o: search.Options{Threads: -3}, says: "-3 threads are not at least 0"},
		} {
			_, batch := x.SearchBatch(ctx, q, c.k, c.o)
			_, single := x.Search(one, c.k, c.o)
			for _, err := range []error{batch, single} {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%s: got %v, want %q", name, err, c.says)
				}
			}
		}
	}
}

func TestNonsenseOfBuilding(t *testing.T) {
	src := random(t, 100, 8, 1)
	for name, o := range map[string]shale.BuildOptions{
		"M":              {M: 1e9},
		"efConstruction": {EfConstruction: math.MaxInt},
		"threads":        {Threads: -1},
		"sub-vectors":    {Codes: shale.PQ, PQ: shale.PQOptions{Subvectors: 1e9}},
		"shards":         {Shards: 1e9},
		"copies":         {Shards: 2, Copies: math.NaN()},
	} {
		o.Shards = max(o.Shards, 1)
		path := filepath.Join(t.TempDir(), "index")
		o.Path = path
		if err := buildAt(context.Background(), src, o); err == nil {
			t.Errorf("%s: built", name)
		}
		if _, err := os.Stat(shard.BuildDir(path)); err == nil {
			t.Errorf("%s: the build was begun", name)
		}
	}
	if _, err := shale.New(8, shale.BuildOptions{Capacity: 1 << 40}); err == nil ||
		!strings.Contains(err.Error(), "2147483647") {
		t.Errorf("capacity: %v", err)
	}
	if _, err := shale.New(math.MaxInt, shale.BuildOptions{}); err == nil {
		t.Error("a vector of the largest length is no error")
	}
}
