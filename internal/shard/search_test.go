package shard

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

func TestSearchOfAllShardsFindsTheNearest(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	const n, dim, k = 3000, 24, 10
	rows, queries := clustered(n, dim, 1), clustered(50, dim, 1)
	for name, c := range map[string]struct {
		config hnsw.Config
		copies float64
	}{
		"l2, codes":             {codes2(vector.L2), 1},
		"cosine, codes, copies": {codes2(vector.Cosine), 2},
		"ip, codes":             {codes2(vector.IP), 1},
		"l2, rows, copies":      {hnsw.Config{Metric: vector.L2, M: 8}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			x := opened(t, built(t, rows, BuildOptions{Config: c.config, Shards: 6, Copies: c.copies}), OpenOptions{})
			if x.Len() != n || x.Shards() != 6 || x.Dim() != dim || x.Metric() != c.config.Metric {
				t.Fatalf("%d rows in %d shards", x.Len(), x.Shards())
			}
			if errs := x.CheckLabels(); len(errs) > 0 {
				t.Fatal(errs)
			}
			right := 0
			for q := range queries.Rows() {
				query := vector.Row[float32](queries, q)
				truth := nearest(rows, c.config.Metric, query, k, nil)
				found, err := x.SearchInto(nil, query, k, search.Options{Probes: 6, Ef: 100})
				if err != nil || len(found) != k {
					t.Fatalf("query %d: %d results, %v", q, len(found), err)
				}
				right += hits(found, truth)
				for i, f := range found {
					if i > 0 && f.Distance < found[i-1].Distance {
						t.Fatalf("query %d: results aren't sorted: %v", q, found)
					}
					if slices.ContainsFunc(found[:i], func(o search.Neighbor) bool { return o.Label == f.Label }) {
						t.Fatalf("query %d: label %d twice", q, f.Label)
					}
					exact := nearest(rows.Slice(int(f.Label), int(f.Label)+1), c.config.Metric, query, 1, nil)[0]
					if d := math.Abs(float64(exact.Distance - f.Distance)); d > 1e-4*math.Max(1, math.Abs(float64(exact.Distance))) {
						t.Fatalf("query %d: label %d at %v, it is at %v", q, f.Label, f.Distance, exact.Distance)
					}
				}
			}
			if recall := float64(right) / float64(k*queries.Rows()); recall < 0.99 {
				t.Errorf("recall %v", recall)
			}
		})
	}
}

func TestRowsOnDiskGiveTheSameAnswers(t *testing.T) {
	rows, queries := clustered(4000, 96, 2), clustered(40, 96, 2)
	dir := built(t, rows, BuildOptions{Config: codes2(vector.L2), Shards: 4, Copies: 2})
	in := opened(t, dir, OpenOptions{})
	without := 0 // of codes, since they have few rows
	for _, s := range in.m.Shards {
		if s.Rows < 1024 {
			without++
		}
	}
	if without == 0 || without == 4 {
		t.Fatalf("%d of the shards have no codes", without)
	}
	on := opened(t, dir, OpenOptions{Memory: in.Plan().MemoryBytes - 1})
	if in.Plan().RowsOnDisk || !on.Plan().RowsOnDisk {
		t.Fatalf("plans: %v, %v", in.Plan(), on.Plan())
	}
	var stats search.Stats
	o := search.Options{Probes: 3, Stats: &stats}
	a, err := in.SearchBatch(context.Background(), queries, 10, onThreads(2, o))
	if err != nil {
		t.Fatal(err)
	}
	if stats.Reads != 0 || stats.Probes != 3*queries.Rows() {
		t.Errorf("in memory: %+v", stats)
	}
	b, err := on.SearchBatch(context.Background(), queries, 10, onThreads(2, o))
	if err != nil {
		t.Fatal(err)
	}
	if stats.Reads == 0 || stats.Bytes < int64(stats.Reads)*96*4 {
		t.Errorf("on disk: %+v", stats)
	}
	if !slices.Equal(a.Labels, b.Labels) {
		t.Error("the labels differ")
	}
	for i, d := range a.Distances {
		if math.Abs(float64(d-b.Distances[i])) > 1e-5*float64(d) {
			t.Fatalf("distance %d: %v in memory, %v on disk", i, d, b.Distances[i])
		}
	}
	if _, err := Open(context.Background(), dir, in.m, OpenOptions{Memory: 1 << 20}); !errors.Is(err, ErrMemory) {
		t.Errorf("in 1 MiB: %v", err)
	}
}

func TestProbesFindMoreTheMoreThereAre(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	const k = 10
	rows, queries := clustered(8000, 16, 3), clustered(100, 16, 3)
	x := opened(t, built(t, rows, BuildOptions{Config: codes2(vector.L2), Shards: 16}), OpenOptions{})
	recall := func(o search.Options) (float64, search.Stats) {
		var s search.Stats
		o.Stats, o.Ef = &s, 100
		found, err := x.SearchBatch(context.Background(), queries, k, onThreads(1, o))
		if err != nil {
			t.Fatal(err)
		}
		right := 0
		for q := range queries.Rows() {
			for _, n := range nearest(rows, vector.L2, vector.Row[float32](queries, q), k, nil) {
				if slices.Contains(found.Labels[q*k:(q+1)*k], n.Label) {
					right++
				}
			}
		}
		return float64(right) / float64(k*queries.Rows()), s
	}
	one, _ := recall(search.Options{Probes: 1})
	four, _ := recall(search.Options{Probes: 4})
	all, _ := recall(search.Options{Probes: 99})
	if !(one < four && four <= all && all > 0.99 && four > 0.85*all) {
		t.Errorf("recall with 1, 4 and all probes: %v, %v, %v", one, four, all)
	}
	little, few := recall(search.Options{Share: 0.8})
	much, many := recall(search.Options{Share: 0.99})
	if few.Probes >= many.Probes || little >= much || much < 0.93 {
		t.Errorf("recall %v with %d probes for a share of 0.8, %v with %d for 0.99", little, few.Probes, much, many.Probes)
	}
	chosen, s := recall(search.Options{Shards: []uint32{0, 5, 77}})
	if s.Probes != 2*queries.Rows() || chosen >= four {
		t.Errorf("parts chosen: recall %v, %d probes", chosen, s.Probes)
	}
	if none, s := recall(search.Options{Shards: []uint32{}}); none != 0 || s.Probes != 0 {
		t.Errorf("no parts: recall %v, %d probes", none, s.Probes)
	}
}

func TestFilteredSearchOfShards(t *testing.T) {
	race.SkipSequential(t)
	const k = 10
	rows, queries := clustered(3000, 16, 4), clustered(20, 16, 4)
	x := opened(t, built(t, rows, BuildOptions{Config: codes2(vector.L2), Shards: 3, Copies: 2}), OpenOptions{})
	for _, one := range []uint64{2, 10, 100, 1000} {
		allowed := func(l uint64) bool { return l%one == 0 }
		right, of := 0, 0
		for q := range queries.Rows() {
			query := vector.Row[float32](queries, q)
			o := search.Options{Probes: 3}
			o.Filter = search.FilterFunc(allowed)
			found, err := x.SearchInto(nil, query, k, o)
			if err != nil {
				t.Fatal(err)
			}
			truth := nearest(rows, vector.L2, query, k, allowed)
			right += hits(found, truth)
			of += len(truth)
			for _, f := range found {
				if !allowed(f.Label) {
					t.Fatalf("label %d isn't allowed", f.Label)
				}
			}
		}
		if recall := float64(right) / float64(of); recall < 0.98 {
			t.Errorf("one in %d allowed: recall %v", one, recall)
		}
	}
}

func TestSearchRefuses(t *testing.T) {
	x := opened(t, built(t, clustered(500, 8, 5), BuildOptions{Config: codes2(vector.L2), Shards: 2}), OpenOptions{})
	query := make([]float32, 8)
	for name, f := range map[string]func() error{
		"k of 0":    func() error { _, err := x.SearchInto(nil, query, 0, search.Options{}); return err },
		"dimension": func() error { _, err := x.SearchInto(nil, query[:7], 1, search.Options{}); return err },
		"NaN": func() error {
			_, err := x.SearchInto(nil, append(query[:7:7], float32(math.NaN())), 1, search.Options{})
			return err
		},
		"share of 2": func() error { _, err := x.SearchInto(nil, query, 1, search.Options{Share: 2}); return err },
		"batch": func() error {
			_, err := x.SearchBatch(context.Background(), clustered(3, 9, 1), 1, search.Options{Threads: 1})
			return err
		},
	} {
		if f() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if found, err := x.SearchInto(nil, query, 600, search.Options{Probes: 2}); err != nil || len(found) != 500 {
		t.Errorf("more than there are: %d results, %v", len(found), err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := x.SearchBatch(ctx, clustered(3, 8, 1), 1, search.Options{Threads: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := x.SearchInto(nil, query, 1, search.Options{}); !errors.Is(err, hnsw.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// TestSearchWithin searches with a distance at which enough rows are known: rows that are nearer are found as without
// it, and fewer others are compared by their rows.
func TestSearchWithin(t *testing.T) {
	const k = 10
	rows := clustered(4000, 48, 9)
	dir := built(t, rows, BuildOptions{Config: codes2(vector.L2), Shards: 3, Centroids: 32, Threads: 1})
	x := opened(t, dir, OpenOptions{Mapped: true})
	query := make([]float32, rows.Dim())
	all, bounded := 0, 0
	for row := 0; row < rows.Rows(); row += 97 {
		rows.Decode(row, query)
		var stats search.Stats
		o := search.Options{Ef: 100, Independent: true, Stats: &stats}
		found := must(x.SearchInto(nil, query, k, o))
		all += stats.Reranked
		for _, known := range []int{1, k / 2, k} {
			within := found[known-1].Distance
			got := must(x.SearchWithin(nil, query, k, o, within))
			if len(got) < known || !slices.Equal(got[:known], found[:known]) {
				t.Fatalf("row %d: within %v %v are found, and without %v", row, within, got, found)
			}
		}
		must(x.SearchWithin(nil, query, k, o, found[0].Distance))
		bounded += stats.Reranked
		if stats.Distances > rows.Rows()/2 {
			t.Fatalf("row %d: %d distances, as if all rows were compared to find %d", row, stats.Distances, k)
		}
	}
	if bounded > all/2 {
		t.Errorf("%d rows are compared within the distance of the nearest, and %d without", bounded, all)
	}
}
