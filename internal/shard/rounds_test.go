package shard

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// A batch that goes through mapped shards one after another finds the nearest rows, each once, at their distances.
func TestMappedBatchFindsTheNearest(t *testing.T) {
	t.Parallel()
	const k = 10
	rows, queries := clustered(6000, 24, 30), clustered(51, 24, 30)
	products := codes2(vector.IP)
	products.M = 24 // fewer links leave some of the largest products unfound, however long walks are
	for name, c := range map[string]hnsw.Config{
		"l2, codes": codes2(vector.L2), "cosine, codes": codes2(vector.Cosine), "ip, codes": products,
		"l2, rows": {Metric: vector.L2, M: 8}, "cosine, rows": {Metric: vector.Cosine, M: 8},
	} {
		if race.Enabled && name != "l2, codes" {
			continue // the others differ in what distances are
		}
		t.Run(name, func(t *testing.T) {
			dir := built(t, rows, BuildOptions{Config: c, Shards: 6, Copies: 1.6})
			x := opened(t, dir, OpenOptions{Mapped: true, Resident: 2})
			if p := x.Plan(); p.MappedShards != 4 || !strings.Contains(p.String(), "first 2 of 6 shards in memory") {
				t.Fatalf("%v", p)
			}
			o := search.Options{Ef: 200, Probes: 6} // enough that recall is no matter of chance
			want := recallOf(t, rows, queries, c.Metric,
				must(opened(t, dir, OpenOptions{}).SearchBatch(context.Background(), queries, k, onThreads(1, o))))
			for _, threads := range []int{1, 3} {
				var s search.Stats
				o.Stats = &s
				found, err := x.SearchBatch(context.Background(), queries, k, onThreads(threads, o))
				if err != nil {
					t.Fatal(err)
				}
				if s.Probes != 6*queries.Rows() {
					t.Errorf("%d probes", s.Probes)
				}
				if recall := recallOf(t, rows, queries, c.Metric, found); recall < want-0.002 || recall < 0.97 {
					t.Errorf("recall %v, in memory %v", recall, want)
				}
			}
		})
	}
}

// recallOf compares what a batch found with what comparing all rows finds, and gives the share of neighbours found.
func recallOf(t *testing.T, rows, queries vector.Matrix, metric vector.Metric, found *search.Results) float64 {
	t.Helper()
	right, k := 0, found.K
	for q := range queries.Rows() {
		if found.Counts[q] != k {
			t.Fatalf("query %d: %d results", q, found.Counts[q])
		}
		truth := nearest(rows, metric, vector.Row[float32](queries, q), rows.Rows(), nil)
		labels, distances := found.Labels[q*k:(q+1)*k], found.Distances[q*k:(q+1)*k]
		for i, l := range labels {
			if slices.Contains(labels[:i], l) || i > 0 && distances[i] < distances[i-1] {
				t.Fatalf("query %d: %v %v", q, labels, distances)
			}
			at := slices.IndexFunc(truth, func(n search.Neighbor) bool { return n.Label == l })
			if d := truth[at].Distance - distances[i]; d > 1e-4*max(1, truth[at].Distance) ||
				-d > 1e-4*max(1, truth[at].Distance) {
				t.Fatalf("query %d: label %d at %v, it is at %v", q, l, distances[i], truth[at].Distance)
			}
			if at < k {
				right++
			}
		}
	}
	return float64(right) / float64(k*queries.Rows())
}

// Whichever way a batch goes, it looks into the same shards and counts fewer than k where fewer are to be had.
func TestMappedBatchAnswersAsOneInMemory(t *testing.T) {
	const k = 10
	rows, queries := clustered(6000, 24, 31), clustered(40, 24, 31)
	dir := built(t, rows, BuildOptions{Config: codes2(vector.L2), Shards: 6, Copies: 2})
	in, mapped := opened(t, dir, OpenOptions{}), opened(t, dir, OpenOptions{Mapped: true})
	for name, o := range map[string]search.Options{
		"share": {}, "probes": {Probes: 2}, "parts": {Shards: []uint32{4, 1}}, "no parts": {Shards: []uint32{}},
		"filter": {Probes: 3, Filter: search.FilterFunc(func(l uint64) bool { return l%600 == 1 })},
	} {
		o.Ef = 400
		var a, b search.Stats
		o.Stats = &a
		want := must(in.SearchBatch(context.Background(), queries, k, onThreads(1, o)))
		o.Stats = &b
		got := must(mapped.SearchBatch(context.Background(), queries, k, onThreads(2, o)))
		if a.Probes != b.Probes || !slices.Equal(want.Counts, got.Counts) {
			t.Errorf("%s: %d and %d probes, %v and %v found", name, a.Probes, b.Probes, want.Counts, got.Counts)
		}
		same := 0
		for i := range want.Labels {
			if want.Labels[i] == got.Labels[i] {
				same++
			}
		}
		if same < len(want.Labels)*99/100 {
			t.Errorf("%s: %d of %d labels are the same", name, same, len(want.Labels))
		}
	}
}

func TestMappedBatchTellsOfErrors(t *testing.T) {
	rows, queries := clustered(4000, 24, 32), clustered(40, 24, 32)
	dir := built(t, rows, BuildOptions{Config: codes2(vector.L2), Shards: 4})
	x := opened(t, dir, OpenOptions{Mapped: true})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := x.SearchBatch(ctx, queries, 5, search.Options{Threads: 2}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := x.SearchBatch(context.Background(), queries, 5, search.Options{Threads: 2, Share: 2}); err == nil {
		t.Error("a share of 2: no error")
	}
	if err := os.Truncate(filepath.Join(dir, "shard-0002.shale"), 8192); err != nil {
		t.Fatal(err)
	}
	if _, err := x.SearchBatch(context.Background(), queries, 5, search.Options{Threads: 2, Probes: 4}); err == nil ||
		!strings.Contains(err.Error(), dir) {
		t.Errorf("cut off: %v", err)
	}
	for range 20 { // whichever goroutine meets it
		o := search.Options{Probes: 4, Threads: 4, Ef: 4 * walkWork}
		if _, err := x.SearchInto(nil, vector.Row[float32](queries, 0), 5, o); err == nil ||
			!strings.Contains(err.Error(), dir) {
			t.Fatalf("cut off, by several goroutines: %v", err)
		}
	}
	if _, err := x.SearchBatch(context.Background(), queries, 5,
		search.Options{Threads: 2, Shards: []uint32{0, 1, 3}}); err != nil {
		t.Errorf("after an error: %v", err)
	}
}

// The plan says how many shards memory holds, and answers are those of all in memory.
func TestPlansByMemory(t *testing.T) {
	race.SkipSequential(t)
	rows, queries := clustered(4000, 24, 33), clustered(20, 24, 33)
	dir := built(t, rows, BuildOptions{Config: hnsw.Config{M: 8}, Shards: 4})
	m := must(manifest.Read(dir))
	want := must(opened(t, dir, OpenOptions{}).SearchBatch(context.Background(), queries, 5,
		search.Options{Threads: 1, Probes: 4}))
	for shards := range 5 {
		memory := besideShards(m) + 1
		for _, s := range m.Shards[:shards] {
			memory += s.Bytes
		}
		for _, o := range []OpenOptions{{Memory: memory}, {Memory: memory, Mapped: true}} {
			x := opened(t, dir, o)
			p := x.Plan()
			if p.Shards != 4 || p.MappedShards != 4-shards || p.RowsOnDisk || p.MemoryBytes > memory {
				t.Errorf("memory for %d shards: %+v", shards, p)
			}
			// Single searches share bounds in the same order wherever shards lie.
			for q := range queries.Rows() {
				found, err := x.SearchInto(nil, vector.Row[float32](queries, q), 5, search.Options{Probes: 4})
				if err != nil {
					t.Fatal(err)
				}
				for i, n := range found {
					if n.Label != want.Labels[q*5+i] {
						t.Fatalf("%v, query %d: %v, want %v", p, q, found, want.Labels[q*5:q*5+5])
					}
				}
			}
		}
	}
	if _, err := Open(context.Background(), dir, m, OpenOptions{Memory: searchMemory}); !errors.Is(err, ErrMemory) {
		t.Errorf("with no room for the routing: %v", err)
	}
	for _, o := range []OpenOptions{{Resident: 1}, {Resident: -1, Mapped: true}} {
		if _, err := Open(context.Background(), dir, m, o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func TestShardsWithoutCentroidsAreFound(t *testing.T) {
	rows := clustered(2000, 8, 34)
	x := opened(t, built(t, rows, BuildOptions{Config: hnsw.Config{M: 4}, Shards: 3}), OpenOptions{})
	if errs := x.CheckRouting(); len(errs) > 0 {
		t.Fatal(errs)
	}
	few := must(hnsw.New(routerConfig(x.parts[0].Config(), 2)))
	for i, part := range []uint64{0, 2} {
		if err := few.Add(part<<32|uint64(i), vector.Row[float32](rows, i), hnsw.AddOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.router.close(); err != nil {
		t.Fatal(err)
	}
	x.router.index, x.router.close = &few.Reader, few.Close
	if errs := x.CheckRouting(); len(errs) != 1 || !strings.Contains(errs[0].Error(), "none is of shard 1") {
		t.Errorf("no centroid of shard 1: %v", errs)
	}
}
