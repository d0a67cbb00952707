package hnsw

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// purgeConfigs are the kinds of index that Purge is tried on.
func purgeConfigs(dim int) map[string]Config {
	return map[string]Config{
		"l2":     {Dim: dim, Metric: vector.L2},
		"ip":     {Dim: dim, Metric: vector.IP},
		"cosine": {Dim: dim, Metric: vector.Cosine, Storage: vector.Float16},
		"codes":  {Dim: dim, Metric: vector.L2, Codes: Codes{Kind: quant.RaBitQ, Bits: 4}},
		"small":  {Dim: dim, M: 8, EfConstruction: 60},
	}
}

// TestPurge deletes rows in rounds, some of them equal to others, purges and adds others. After each step the index
// holds what it should, its arrays keep their rules, and searches find what an index built anew finds.
func TestPurge(t *testing.T) {
	const n, dim, equal = 600, 12, 80
	for name, c := range purgeConfigs(dim) {
		t.Run(name, func(t *testing.T) {
			rng := newRand(7)
			next := func(rows int) []float32 {
				data := clusteredRows(rows, dim, 40, rng.Uint64())
				for i := range equal { // rows equal to those before
					copy(data[i*dim:(i+1)*dim], data[(i/2+equal)*dim:])
				}
				return data
			}
			x, err := New(c)
			must(t, err)
			defer x.Close()
			there := map[uint64][]float32{}
			for round := range 4 {
				addRound(t, x, there, next(n), uint64(round*n))
				deleteShare(t, x, there, rng, []float64{0.1, 0.5, 0.02, 0.3}[round])
				must(t, x.Purge(context.Background(), 1))
				checkPurged(t, x, there)
			}
		})
	}
}

func addRound(t *testing.T, x *Index, there map[uint64][]float32, rows []float32, first uint64) {
	t.Helper()
	dim := x.Dim()
	labels := make([]uint64, len(rows)/dim)
	for i := range labels {
		labels[i] = first + uint64(i)
		there[labels[i]] = rows[i*dim : (i+1)*dim]
	}
	must(t, x.AddBatch(context.Background(), matrix(t, rows, dim), labels, BatchOptions{Threads: 1}))
}

// deleteShare deletes a share of the rows, in random order.
func deleteShare(t *testing.T, x *Index, there map[uint64][]float32, rng *rand.Rand, share float64) {
	t.Helper()
	var labels []uint64
	for l := range there {
		labels = append(labels, l)
	}
	slices.Sort(labels)
	rng.Shuffle(len(labels), func(i, j int) { labels[i], labels[j] = labels[j], labels[i] })
	for _, l := range labels[:int(share*float64(len(labels)))] {
		must(t, x.Delete(l))
		delete(there, l)
	}
}

// checkPurged compares an index without deleted elements with the rows that it should hold.
func checkPurged(t *testing.T, x *Index, there map[uint64][]float32) {
	t.Helper()
	if x.Len() != len(there) || x.Deleted() != 0 {
		t.Fatalf("%d elements, %d deleted, want %d and 0", x.Len(), x.Deleted(), len(there))
	}
	must(t, x.WithImage(func(m *Image) error { return errors.Join(m.Check(), m.CheckLabels()) }))
	checkChains(t, x)
	var labels []uint64
	var rows []float32
	for l := range there {
		labels = append(labels, l)
	}
	slices.Sort(labels)
	for _, l := range labels {
		rows = append(rows, there[l]...)
	}
	fresh, err := New(x.Config())
	must(t, err)
	defer fresh.Close()
	must(t, fresh.AddBatch(context.Background(), matrix(t, rows, x.Dim()), labels, BatchOptions{Threads: 1}))
	got, want := recallOfRows(t, x, rows), recallOfRows(t, fresh, rows)
	if got < want-0.03 {
		t.Errorf("%d elements: recall %.4f, that of an index built anew is %.4f", len(labels), got, want)
	}
}

// recallOfRows is the share of the 10 nearest, by exact search, that a search for each row finds. Those that are as far
// as the last count, too.
func recallOfRows(t *testing.T, x *Index, rows []float32) float64 {
	t.Helper()
	found, all, dim := 0, 0, x.Dim()
	for i := 0; i < len(rows); i += 7 * dim {
		exact, err := x.Search(rows[i:i+dim], 10, search.Options{Exact: true})
		must(t, err)
		got, err := x.Search(rows[i:i+dim], 10, search.Options{Ef: 60})
		must(t, err)
		for _, n := range got {
			if n.Distance <= exact[len(exact)-1].Distance {
				found++
			}
		}
		all += len(exact)
	}
	return float64(found) / float64(all)
}

// TestPurgeAll removes all elements. The index is then as good as new.
func TestPurgeAll(t *testing.T) {
	const n, dim = 300, 6
	x, err := New(Config{Dim: dim, M: 4})
	must(t, err)
	defer x.Close()
	there := map[uint64][]float32{}
	for round := range 3 {
		addRound(t, x, there, randomRows(n, dim, uint64(round)), uint64(round*n))
		checkPurged(t, x, there)
		deleteShare(t, x, there, newRand(1), 1)
		must(t, x.Purge(context.Background(), 0))
		found, err := x.Search(make([]float32, dim), 3, search.Options{})
		if err != nil || len(found) != 0 || x.Len() != 0 {
			t.Fatalf("an index without elements finds %v, %v, of %d", found, err, x.Len())
		}
		must(t, x.WithImage((*Image).Check))
	}
}

// TestPurgeOnManyThreads purges with several goroutines, which the race detector watches.
func TestPurgeOnManyThreads(t *testing.T) {
	const n, dim = 3000, 8
	x, err := New(Config{Dim: dim, M: 6, EfConstruction: 40})
	must(t, err)
	defer x.Close()
	there := map[uint64][]float32{}
	addRound(t, x, there, clusteredRows(n, dim, 50, 3), 0)
	deleteShare(t, x, there, newRand(2), 0.4)
	must(t, x.Purge(context.Background(), 8))
	must(t, x.WithImage((*Image).Check))
	for l, row := range there {
		found, err := x.Search(row, 1, search.Options{Exact: true})
		must(t, err)
		if len(found) != 1 || found[0].Distance != 0 {
			t.Fatalf("row %d is gone: %v", l, found)
		}
	}
}

// TestPurgeIsRefused has searches and a context that has ended stand in the way.
func TestPurgeIsRefused(t *testing.T) {
	const n, dim = 200, 4
	x, err := New(Config{Dim: dim})
	must(t, err)
	there := map[uint64][]float32{}
	addRound(t, x, there, randomRows(n, dim, 1), 0)
	deleteShare(t, x, there, newRand(1), 0.5)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	wantError(t, x.Purge(ctx, 1), context.Canceled)
	busy := search.FilterFunc(func(uint64) bool {
		wantError(t, x.Purge(context.Background(), 1), ErrBusy)
		return true
	})
	if _, err = x.Search(make([]float32, dim), 1, search.Options{Filter: busy, Exact: true}); err != nil {
		t.Fatal(err)
	}
	must(t, x.Purge(context.Background(), 1))
	checkPurged(t, x, there)
	must(t, x.Close())
	wantError(t, x.Purge(context.Background(), 1), ErrClosed)
}
