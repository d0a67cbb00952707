package shard

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// Shards walked by several goroutines find the nearest rows, as comparing all of them does.
func TestThreadsOfOneQueryFindTheNearest(t *testing.T) {
	t.Parallel()
	const k = 10
	rows, queries := clustered(6000, 24, 20), clustered(30, 24, 20)
	for name, c := range map[string]hnsw.Config{"codes": codes2(vector.L2), "cosine": codes2(vector.Cosine),
		"ip, rows": {Metric: vector.IP, M: 8}} {
		if race.Enabled && name != "codes" {
			continue // the others differ in what distances are
		}
		t.Run(name, func(t *testing.T) {
			x := opened(t, built(t, rows, BuildOptions{Config: c, Shards: 8, Copies: 1.5}), OpenOptions{})
			var right [2]int
			for q := range queries.Rows() {
				query := vector.Row[float32](queries, q)
				truth := nearest(rows, c.Metric, query, k, nil)
				for i, threads := range []int{1, 4} {
					var s search.Stats
					found, err := x.SearchInto(nil, query, k, search.Options{
						Probes: 8, Threads: threads, Stats: &s, Ef: walkWork,
					})
					if err != nil {
						t.Fatal(err)
					}
					if s.Probes != 8 || s.Hops == 0 {
						t.Fatalf("query %d: %+v", q, s)
					}
					right[i] += hits(found, truth)
				}
			}
			if one, four := right[0], right[1]; four < one-1 || four < k*queries.Rows()*97/100 {
				t.Errorf("one goroutine found %d, four %d of %d", one, four, k*queries.Rows())
			}
		})
	}
}

// An error of one walk ends the query, whoever walks.
func TestErrorsOfHelpersAreTold(t *testing.T) {
	rows := clustered(3000, 8, 21)
	x := opened(t, built(t, rows, BuildOptions{Config: hnsw.Config{M: 4}, Shards: 4}), OpenOptions{})
	query := vector.Row[float32](rows, 0)
	o := search.Options{Probes: 4, Threads: 4, Ef: 4 * walkWork}
	if _, err := x.SearchInto(nil, query, 10, o); err != nil {
		t.Fatal(err)
	}
	if err := x.parts[3].close(); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if _, err := x.SearchInto(nil, query, 10, o); !errors.Is(err, hnsw.ErrClosed) {
			t.Fatal(err)
		}
	}
}

// What walks tell each other spares distances and hardly any neighbours.
func TestWalksEndByWhatOthersFound(t *testing.T) {
	race.SkipSequential(t)
	const k = 10
	rows, queries := clustered(8000, 24, 22), clustered(60, 24, 22)
	x := opened(t, built(t, rows, BuildOptions{Config: codes2(vector.L2), Shards: 8}), OpenOptions{})
	var together search.Stats
	found, err := x.SearchBatch(context.Background(), queries, k, search.Options{Threads: 1, Probes: 8, Stats: &together})
	if err != nil {
		t.Fatal(err)
	}
	right, alone := 0, 0
	for q := range queries.Rows() {
		query := vector.Row[float32](queries, q)
		for p := range uint32(8) {
			var s search.Stats
			if _, err := x.SearchInto(nil, query, k, search.Options{Shards: []uint32{p}, Stats: &s}); err != nil {
				t.Fatal(err)
			}
			alone += s.Distances
		}
		for _, n := range nearest(rows, vector.L2, query, k, nil) {
			if slices.Contains(found.Labels[q*k:(q+1)*k], n.Label) {
				right++
			}
		}
	}
	if recall := float64(right) / float64(k*queries.Rows()); recall < 0.99 {
		t.Errorf("recall %v", recall)
	}
	if together.Distances > alone*9/10 {
		t.Errorf("%d distances together, %d alone", together.Distances, alone)
	}
}

// close waits for all that entered, and lets none in afterwards.
func TestHelpers(t *testing.T) {
	h := helpers{last: make(chan struct{}, 1)}
	for range 2000 {
		var inside atomic.Int64
		var all sync.WaitGroup
		h.open()
		for range 4 {
			all.Go(func() {
				if h.enter() {
					inside.Add(1)
					inside.Add(-1)
					h.leave()
				}
			})
		}
		h.close()
		if n := inside.Load(); n != 0 {
			t.Fatalf("%d inside after the end", n)
		}
		if h.enter() {
			t.Fatal("entered after the end")
		}
		all.Wait()
	}
}
