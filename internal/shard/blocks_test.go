package shard

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// codesOnly is memory for the codes of an index but not for its links, plus cache bytes.
func codesOnly(t *testing.T, dir string, cache int64) OpenOptions {
	t.Helper()
	m := must(manifest.Read(dir))
	all := must(PlanSearch(dir, m, 0, SearchLoad{})).MemoryBytes
	for _, s := range m.Shards {
		info := must(store.Inspect(filepath.Join(dir, s.File)))
		if !coded(info) {
			continue
		}
		all -= info.Section(store.Links0).Length + int64(info.Count)*int64(info.RowStride)
	}
	return OpenOptions{Memory: all + cache}
}

func TestSearchOverBlocksFindsTheNearest(t *testing.T) {
	t.Parallel()
	const n, dim, k = 6000, 24, 10
	rows, queries := clustered(n, dim, 1), clustered(60, dim, 1)
	even := search.FilterFunc(func(label uint64) bool { return label%2 == 0 })
	rare := search.FilterFunc(func(label uint64) bool { return label%400 == 0 })
	for name, c := range map[string]struct {
		metric vector.Metric
		keep   vector.Type
		shards int
		copies float64
		cache  int64
		filter *search.Filter
	}{
		"l2":                {metric: vector.L2, keep: vector.Float32, shards: 1},
		"cosine, cache":     {metric: vector.Cosine, keep: vector.Float16, shards: 1, cache: 64 << 10},
		"ip, shards":        {metric: vector.IP, keep: vector.Float32, shards: 4},
		"l2, copies":        {metric: vector.L2, keep: vector.Float16, shards: 4, copies: 1.7, cache: 64 << 10},
		"l2, half allowed":  {metric: vector.L2, keep: vector.Float32, shards: 2, filter: even},
		"l2, few are found": {metric: vector.L2, keep: vector.Float32, shards: 2, filter: rare},
		"scaled bytes, l2":  {metric: vector.L2, keep: rowtype.ScaledInt8, shards: 1},
	} {
		if race.Enabled && name != "l2, copies" {
			continue // the others read the same in the same goroutines
		}
		t.Run(name, func(t *testing.T) {
			config := codes2(c.metric)
			config.Storage = c.keep
			dir := built(t, rows, BuildOptions{Config: config, Shards: c.shards, Copies: c.copies, Blocks: true})
			x := opened(t, dir, codesOnly(t, dir, c.cache))
			if !x.plan.LinksOnDisk || x.plan.CacheBytes != c.cache {
				t.Fatalf("the plan is %v", x.plan)
			}
			o := search.Options{Probes: c.shards, Ef: 100 * min(c.shards, 2), Filter: c.filter}
			var allowed func(uint64) bool
			if c.filter == even {
				allowed = func(l uint64) bool { return l%2 == 0 }
			} else if c.filter == rare {
				allowed = func(l uint64) bool { return l%400 == 0 }
			}
			batch, err := x.SearchBatch(context.Background(), queries, k, onThreads(2, o))
			if err != nil {
				t.Fatal(err)
			}
			right, of := 0, 0
			var sum search.Stats
			for q := range queries.Rows() {
				query := vector.Row[float32](queries, q)
				truth := nearest(rows, c.metric, query, k, allowed)
				var stats search.Stats
				o.Stats = &stats
				found, err := x.SearchInto(nil, query, k, o)
				if err != nil || len(found) != len(truth) {
					t.Fatalf("query %d: %d results, %d expected, %v", q, len(found), len(truth), err)
				}
				right += hits(found, truth)
				of += len(truth)
				for i, f := range found {
					if allowed != nil && !allowed(f.Label) {
						t.Fatalf("query %d: label %d isn't allowed", q, f.Label)
					}
					if i > 0 && f.Distance < found[i-1].Distance ||
						slices.ContainsFunc(found[:i], func(o search.Neighbor) bool { return o.Label == f.Label }) {
						t.Fatalf("query %d: %v", q, found)
					}
					if got := batch.Labels[q*k+i]; got != f.Label {
						t.Fatalf("query %d, place %d: label %d in a batch, %d alone", q, i, got, f.Label)
					}
				}
				request.Add(&sum, &stats)
			}
			if sum.Reads == 0 || sum.Bytes < 4096*int64(sum.Reads) || sum.Distances == 0 {
				t.Errorf("%+v", sum)
			}
			least := 0.99
			if c.keep == rowtype.ScaledInt8 {
				least = 0.96 // rounding puts some rows in another order
			}
			if recall := float64(right) / float64(of); recall < least {
				t.Errorf("recall %v", recall)
			}
		})
	}
}

func TestEachVectorReadsBlocks(t *testing.T) {
	const n, dim = 5000, 24
	rows := clustered(n, dim, 3)
	dir := built(t, rows, BuildOptions{Config: codes2(vector.L2), Shards: 2, Blocks: true})
	x := opened(t, dir, codesOnly(t, dir, 0))
	met := 0
	err := x.EachVector(context.Background(), func(labels []uint64, block vector.Matrix) error {
		for i, l := range labels {
			if !slices.Equal(vector.Row[float32](block, i), vector.Row[float32](rows, int(l))) {
				t.Fatalf("label %d has another vector", l)
			}
		}
		met += len(labels)
		return nil
	})
	if err != nil || met != n {
		t.Errorf("%d of %d rows, %v", met, n, err)
	}
}

func TestDamagedBlocksAreToldOf(t *testing.T) {
	rows := clustered(3000, 24, 7)
	dir := built(t, rows, BuildOptions{Config: codes2(vector.L2), Shards: 1, Blocks: true})
	x := opened(t, dir, codesOnly(t, dir, 0))
	b := x.parts[0].blocks
	f := must(os.OpenFile(b.path, os.O_RDWR, 0))
	defer f.Close()
	for i := range b.Blocks() {
		if _, err := f.WriteAt([]byte{0xff, 0xff}, b.Layout.Offset(i)+100); err != nil {
			t.Fatal(err)
		}
	}
	_, err := x.SearchInto(nil, vector.Row[float32](rows, 5), 10, search.Options{})
	var damage *store.FormatError
	if !errors.As(err, &damage) || damage.File != b.path || damage.Field != "block" {
		t.Errorf("a search gives %v", err)
	}
	_, err = x.SearchBatch(context.Background(), rows.Slice(0, 20), 10, search.Options{Threads: 2})
	if !errors.As(err, &damage) {
		t.Errorf("a batch gives %v", err)
	}
}

func TestBlocksOfAnotherShardAreRefused(t *testing.T) {
	dir := built(t, clustered(3000, 24, 8), BuildOptions{Config: codes2(vector.L2), Shards: 2, Blocks: true})
	m := must(manifest.Read(dir))
	a, b := filepath.Join(dir, m.Shards[0].Blocks.File), filepath.Join(dir, m.Shards[1].Blocks.File)
	for _, move := range [][2]string{{a, a + "x"}, {b, a}, {a + "x", b}} {
		if err := os.Rename(move[0], move[1]); err != nil {
			t.Fatal(err)
		}
	}
	var damage *store.FormatError
	if _, err := Open(context.Background(), dir, m, codesOnly(t, dir, 0)); !errors.As(err, &damage) || damage.File != a {
		t.Errorf("swapped blocks give %v", err)
	}
}
