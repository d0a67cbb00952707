package hnsw

import (
	"context"
	"math"
	"testing"

	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

func TestEmptyIndex(t *testing.T) {
	eachEngine(t, Config{Dim: 2}, func(t *testing.T, x engine) {
		for _, o := range []search.Options{{}, {Filter: search.FilterFunc(func(uint64) bool { return true })},
			{Stop: search.Radius(1, 0, 5)}} {
			found, err := x.Search(point(1), 5, o)
			must(t, err)
			if len(found) != 0 {
				t.Fatalf("found %v", found)
			}
		}
		labels, err := x.Labels()
		must(t, err)
		if len(labels) != 0 || x.Len() != 0 {
			t.Fatalf("labels %v of %d", labels, x.Len())
		}
		wantError(t, x.Vector(1, make([]float32, 2)), ErrLabel)
		wantError(t, x.Vector(1, make([]float32, 3)), vector.ErrDim)
		wantError(t, x.Delete(1), ErrLabel)
		must(t, x.AddBatch(context.Background(), matrix(t, []float32{}, 2), nil, BatchOptions{}))
		must(t, x.Resize(0))
	})
}

func TestClosedIndex(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, Config{Dim: 2}, func(t *testing.T, x engine) {
		must(t, x.Add(1, point(1), AddOptions{}))
		must(t, x.Close())
		must(t, x.Close())
		rows := matrix(t, point(1), 2)
		wantError(t, x.Add(1, point(1), AddOptions{}), ErrClosed)
		wantError(t, x.AddBatch(ctx, rows, nil, BatchOptions{}), ErrClosed)
		wantError(t, x.Delete(1), ErrClosed)
		wantError(t, x.Vector(1, make([]float32, 2)), ErrClosed)
		wantError(t, x.Resize(10), ErrClosed)
		_, err := x.Search(point(1), 1, search.Options{})
		wantError(t, err, ErrClosed)
		_, err = x.SearchBatch(ctx, rows, 1, search.Options{})
		wantError(t, err, ErrClosed)
		_, err = x.Labels()
		wantError(t, err, ErrClosed)
		_, err = x.Stats()
		wantError(t, err, ErrClosed)
		if x.Capacity() != 0 {
			t.Fatalf("room for %d", x.Capacity())
		}
	})
}

func TestClosedGraph(t *testing.T) {
	x := points(t, Config{})
	f, err := x.Freeze()
	must(t, err)
	must(t, x.Close())
	wantError(t, x.Undelete(100), ErrClosed)
	wantError(t, x.WithImage(func(*Image) error { return nil }), ErrClosed)
	_, err = x.Freeze()
	wantError(t, err, ErrClosed)
	_, err = x.Reachable()
	wantError(t, err, ErrClosed)
	if found, err := f.Search(point(31), 1, search.Options{}); err != nil || found[0].Label != 103 {
		t.Fatalf("the frozen copy found %v, %v", found, err)
	}
	must(t, f.Close())
	must(t, f.Close())
	_, err = f.Search(point(1), 1, search.Options{})
	wantError(t, err, ErrClosed)
	wantError(t, f.WithImage(func(*Image) error { return nil }), ErrClosed)
}

func TestMoreResultsThanElements(t *testing.T) {
	eachEngine(t, Config{Dim: 2}, func(t *testing.T, x engine) {
		for i := range 10 {
			must(t, x.Add(uint64(i), point(float32(i)), AddOptions{}))
		}
		must(t, x.Delete(4))
		all := search.FilterFunc(func(uint64) bool { return true })
		for _, k := range []int{10, 11, 1000, math.MaxInt32} {
			for _, o := range []search.Options{{}, {Filter: all}, {Ef: math.MaxInt}} {
				found, err := x.Search(point(0), k, o)
				must(t, err)
				if len(found) != 9 || found[8].Label != 9 {
					t.Fatalf("k %d: found %v", k, found)
				}
			}
		}
	})
}

func TestNothingAllowed(t *testing.T) {
	const n = 3000
	rows := matrix(t, randomRows(n, 4, 1), 4)
	x := build(t, Config{}, rows)
	none := search.FilterFunc(func(uint64) bool { return false })
	find := func(o search.Options) {
		t.Helper()
		found, err := x.Search(make([]float32, 4), 10, o)
		must(t, err)
		if len(found) != 0 {
			t.Fatalf("found %v", found)
		}
	}
	find(search.Options{Filter: none})
	find(search.Options{Filter: none, Stop: search.Radius(posInf, 5, 50)})
	for label := range uint64(n) {
		must(t, x.Delete(label))
	}
	find(search.Options{})
	find(search.Options{Stop: search.Radius(posInf, 5, 50)})
	must(t, x.Add(n, []float32{9, 9, 9, 9}, AddOptions{})) // linked through the deleted ones
	if found, err := x.Search(make([]float32, 4), 10, search.Options{}); err != nil ||
		len(found) != 1 || found[0].Label != n {
		t.Fatalf("found %v, %v", found, err)
	}
}

// TestDeletedEntryPoint: the walk starts at a deleted element as at any other.
func TestDeletedEntryPoint(t *testing.T) {
	x := points(t, Config{ReplaceDelete: true})
	entry := uint32(x.entry.Load())
	label := x.graph.Load().label(entry)
	must(t, x.Delete(label))
	for i := range 10 {
		want := uint64(100 + i)
		if got := first(t, x, float32(10*i)); (got.Label == want) == (want == label) {
			t.Fatalf("found %v", got)
		}
	}
	must(t, x.Add(200, point(1000), AddOptions{ReplaceDeleted: true})) // takes over the entry point's slot
	for i := range 10 {
		if want := uint64(100 + i); want != label && first(t, x, float32(10*i)).Label != want {
			t.Fatalf("label %d is lost", want)
		}
	}
}

func TestCosineOfZeroVectors(t *testing.T) {
	eachEngine(t, Config{Dim: 2, Metric: vector.Cosine}, func(t *testing.T, x engine) {
		must(t, x.Add(7, []float32{0, 0}, AddOptions{}))
		must(t, x.Add(8, []float32{3, 4}, AddOptions{}))
		found, err := x.Search([]float32{6, 8}, 2, search.Options{})
		must(t, err)
		sameDistances(t, found, []search.Neighbor{{Label: 8, Distance: 0}, {Label: 7, Distance: 1}}, 1e-6)
		if found[0].Distance < 0 {
			t.Fatalf("a negative distance, %v", found[0].Distance)
		}
		found, err = x.Search([]float32{0, 0}, 2, search.Options{})
		must(t, err)
		sameResults(t, found, []search.Neighbor{{Label: 7, Distance: 1}, {Label: 8, Distance: 1}})
		v := make([]float32, 2)
		must(t, x.Vector(8, v))
		if math.Abs(float64(v[0])-0.6) > 1e-6 {
			t.Fatalf("the stored vector, %v, is not normalised", v)
		}
	})
}

// TestCosineIsNeverNegative: rounding of 1 − dot may take it below zero.
func TestCosineIsNeverNegative(t *testing.T) {
	rows := matrix(t, randomRows(300, 37, 8), 37)
	eachEngine(t, Config{Dim: 37, Metric: vector.Cosine}, func(t *testing.T, x engine) {
		must(t, x.AddBatch(context.Background(), rows, nil, BatchOptions{}))
		for i := range rows.Rows() {
			found, err := x.Search(decoded(rows, i), 1, search.Options{})
			must(t, err)
			if d := found[0].Distance; d < 0 || d > 1e-6 {
				t.Fatalf("row %d is %v from itself", i, d)
			}
		}
	})
}

func TestIdenticalRows(t *testing.T) {
	const n = 10000
	rows := matrix(t, make([]float32, n*2), 2)
	eachEngine(t, Config{Dim: 2, M: 8, EfConstruction: 32}, func(t *testing.T, x engine) {
		must(t, x.AddBatch(context.Background(), rows, nil, BatchOptions{}))
		found, err := x.Search([]float32{0, 0}, 10, search.Options{})
		must(t, err)
		if len(found) != 10 {
			t.Fatalf("%d results", len(found))
		}
		for i := 1; i < len(found); i++ {
			if found[i].Label <= found[i-1].Label {
				t.Fatalf("ties are not sorted by label: %v", found)
			}
		}
	})
}

// TestLargestDistances: vectors whose distances float32 can't hold are refused, and those nearly as long are found.
func TestLargestDistances(t *testing.T) {
	for _, metric := range []vector.Metric{vector.L2, vector.IP} {
		eachEngine(t, Config{Dim: 2, Metric: metric}, func(t *testing.T, x engine) {
			for i := range 100 {
				wantError(t, x.Add(uint64(i), []float32{float32(i%7-10) * 1e30, 1e25 * float32(i)}, AddOptions{}), ErrTooLarge)
				must(t, x.Add(uint64(i), []float32{float32(i%7-3) * 1e18, 1e13 * float32(i)}, AddOptions{}))
			}
			for _, o := range []search.Options{{}, {Filter: search.FilterFunc(func(l uint64) bool { return l%2 == 0 })},
				{Stop: search.Radius(posInf, 1, 5)}} {
				found, err := x.Search([]float32{-2e18, 1}, 5, o)
				must(t, err)
				if len(found) != 5 {
					t.Fatalf("found %v", found)
				}
			}
		})
	}
}

// TestMetricWithoutOrder: a user's metric may answer NaN, which counts as farthest.
func TestMetricWithoutOrder(t *testing.T) {
	c := Config{Dim: 2, Custom: func(a, b []float32) float32 {
		if a[0] == 3 || b[0] == 3 {
			return nan
		}
		return a[0] - b[0]
	}}
	eachEngine(t, c, func(t *testing.T, x engine) {
		for i := range 8 {
			must(t, x.Add(uint64(i), point(float32(i)), AddOptions{}))
		}
		found, err := x.Search(point(0), 8, search.Options{})
		must(t, err)
		if len(found) != 8 || found[0] != (search.Neighbor{Label: 7, Distance: -7}) || found[7].Label != 3 {
			t.Fatalf("found %v", found)
		}
	})
}
