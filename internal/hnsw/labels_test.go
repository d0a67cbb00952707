package hnsw

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/shale-search/shale/search"
)

// TestDefaultLabelsOfSeveralGoroutines: each batch gets labels of its own, whatever labels others are given meanwhile.
func TestDefaultLabelsOfSeveralGoroutines(t *testing.T) {
	const dim, rows, batches, goroutines = 4, 20, 6, 5
	eachEngine(t, Config{Dim: dim, M: 4, EfConstruction: 8}, func(t *testing.T, x engine) {
		var wg sync.WaitGroup
		errs := make([]error, goroutines)
		for g := range goroutines {
			wg.Go(func() {
				for b := range batches {
					var labels []uint64
					if g == 0 { // these are among and above the labels that the others get
						for i := range rows {
							labels = append(labels, uint64(1000*b+7*i))
						}
					}
					m := matrix(t, randomRows(rows, dim, uint64(g*100+b)), dim)
					errs[g] = errors.Join(errs[g], x.AddBatch(context.Background(), m, labels, BatchOptions{Threads: 2}))
				}
			})
		}
		wg.Wait()
		must(t, errors.Join(errs...))
		labels, err := x.Labels()
		must(t, err)
		// Rows under given labels may take the place of those that are there: no other row may.
		if least := rows * batches * (goroutines - 1); len(labels) < least {
			t.Errorf("%d elements of %d that no label was given for", len(labels), least)
		}
	})
}

// TestDefaultLabelsTakeNobodysPlace adds batches without labels only: all rows are there, under labels from 0 on.
func TestDefaultLabelsTakeNobodysPlace(t *testing.T) {
	const dim, rows, batches, goroutines = 4, 20, 10, 8
	eachEngine(t, Config{Dim: dim, M: 4, EfConstruction: 8}, func(t *testing.T, x engine) {
		var wg sync.WaitGroup
		errs := make([]error, goroutines)
		for g := range goroutines {
			wg.Go(func() {
				for b := range batches {
					m := matrix(t, randomRows(rows, dim, uint64(g*100+b)), dim)
					errs[g] = errors.Join(errs[g], x.AddBatch(context.Background(), m, nil, BatchOptions{Threads: 2}))
				}
			})
		}
		wg.Wait()
		must(t, errors.Join(errs...))
		labels, err := x.Labels()
		must(t, err)
		slices.Sort(labels)
		for i, l := range labels {
			if l != uint64(i) {
				t.Fatalf("label %d is the %d-th", l, i)
			}
		}
		if len(labels) != rows*batches*goroutines {
			t.Errorf("%d elements of %d", len(labels), rows*batches*goroutines)
		}
	})
}

// TestDefaultLabelsFollowTheLargest also after that one's row is gone, and up to the last label.
func TestDefaultLabelsFollowTheLargest(t *testing.T) {
	eachEngine(t, Config{Dim: 2}, func(t *testing.T, x engine) {
		add := func(n int) error {
			return x.AddBatch(context.Background(), matrix(t, make([]float32, 2*n), 2), nil, BatchOptions{})
		}
		last := func() uint64 {
			labels, err := x.Labels()
			must(t, err)
			return slices.Max(labels)
		}
		must(t, x.Add(40, []float32{1, 2}, AddOptions{}))
		must(t, x.Add(7, []float32{1, 2}, AddOptions{}))
		must(t, add(2))
		if last() != 42 {
			t.Errorf("the last label is %d, not 42", last())
		}
		must(t, x.Delete(42))
		must(t, add(1))
		if last() != 43 {
			t.Errorf("after deleting the last the next label is %d, not 43", last())
		}
		must(t, x.Add(math.MaxUint64-3, []float32{1, 2}, AddOptions{}))
		if err := add(3); err == nil {
			t.Error("three labels follow 2^64 - 4")
		}
		must(t, add(2))
		if last() != math.MaxUint64-1 {
			t.Errorf("the last label is %d, not 2^64 - 2", last())
		}
		if err := add(1); err == nil {
			t.Error("a label follows 2^64 - 2")
		}
	})
}

func TestNoRowHasTheLastLabel(t *testing.T) {
	eachEngine(t, Config{Dim: 2}, func(t *testing.T, x engine) {
		if err := x.Add(search.NoLabel, []float32{1, 2}, AddOptions{}); !errors.Is(err, ErrNoLabel) {
			t.Errorf("Add: %v", err)
		}
		labels := []uint64{1, search.NoLabel, 2}
		err := x.AddBatch(context.Background(), matrix(t, make([]float32, 6), 2), labels, BatchOptions{})
		if !errors.Is(err, ErrNoLabel) || x.Len() != 0 {
			t.Errorf("AddBatch: %v, %d elements", err, x.Len())
		}
	})
}

// TestLastOfALabelWins also where several threads add.
func TestLastOfALabelWins(t *testing.T) {
	const n, dim = 2000, 4
	rows := randomRows(n, dim, 9)
	labels := make([]uint64, n)
	last := map[uint64]int{}
	for i := range labels {
		labels[i] = uint64(i*i) % 97
		last[labels[i]] = i
	}
	eachEngine(t, Config{Dim: dim, M: 4, EfConstruction: 10}, func(t *testing.T, x engine) {
		must(t, x.AddBatch(context.Background(), matrix(t, rows, dim), labels, BatchOptions{Threads: 8}))
		if x.Len() != len(last) {
			t.Errorf("%d elements of %d labels", x.Len(), len(last))
		}
		got := make([]float32, dim)
		for label, row := range last {
			must(t, x.Vector(label, got))
			if !slices.Equal(got, rows[row*dim:(row+1)*dim]) {
				t.Errorf("label %d isn't its last row, %d", label, row)
			}
		}
	})
}
