package hnsw

import (
	"context"
	"math"
	"testing"

	"github.com/shale-search/shale/vector"
)

func TestConfigIsChecked(t *testing.T) {
	bad := map[string]Config{
		"no dim":        {},
		"large dim":     {Dim: 1<<20 + 1},
		"M 1":           {Dim: 1, M: 1},
		"M 10,001":      {Dim: 1, M: 10001},
		"ef":            {Dim: 1, EfConstruction: 1<<24 + 1},
		"capacity":      {Dim: 1, Capacity: -1},
		"many elements": {Dim: 1, Capacity: maxRows + 1},
		"metric":        {Dim: 1, Metric: 9},
		"storage":       {Dim: 1, Storage: vector.Int8},
	}
	for name, c := range bad {
		for engine, make := range engines {
			if _, err := make(c); err == nil {
				t.Errorf("%s, %s: accepted", engine, name)
			}
		}
	}
	x, err := New(Config{Dim: 3, M: 20, EfConstruction: 5})
	must(t, err)
	defer x.Close()
	if c := x.Config(); c.EfConstruction != 20 || c.Seed != 100 || x.Dim() != 3 || x.Metric() != vector.L2 {
		t.Errorf("defaults are %+v", c)
	}
}

// TestLevelsAreGeometric: one element in M reaches the next level.
func TestLevelsAreGeometric(t *testing.T) {
	const n = 200000
	for _, m := range []int{2, 16, 48} {
		c := Config{M: m, Seed: 7}
		at := make([]int, maxLevel+1)
		for id := range uint32(n) {
			for l := range c.level(id) + 1 {
				at[l]++
			}
		}
		for l, want := 1, float64(n)/float64(m); want > 50; l, want = l+1, want/float64(m) {
			if got := float64(at[l]); math.Abs(got-want) > 5*math.Sqrt(want) {
				t.Errorf("M %d: %v elements on level %d, want about %v", m, got, l, want)
			}
		}
	}
	a, b := Config{M: 4, Seed: 1}, Config{M: 4, Seed: 2}
	same := 0
	for id := range uint32(1000) {
		if a.level(id) == b.level(id) {
			same++
		}
	}
	if same == 1000 {
		t.Error("the seed doesn't matter")
	}
}

func TestGrowth(t *testing.T) {
	const n = 3000
	rows := matrix(t, integerRows(n, 5, 1), 5)
	eachEngine(t, Config{Dim: 5}, func(t *testing.T, x engine) {
		if x.Capacity() != 0 {
			t.Fatalf("room for %d at first", x.Capacity())
		}
		must(t, x.AddBatch(context.Background(), rows, nil, BatchOptions{}))
		if x.Len() != n || x.Capacity() < n {
			t.Fatalf("%d elements, room for %d", x.Len(), x.Capacity())
		}
		for _, capacity := range []int{n + 500, n} {
			must(t, x.Resize(capacity))
			if x.Capacity() != capacity {
				t.Fatalf("room for %d, want %d", x.Capacity(), capacity)
			}
		}
		for _, capacity := range []int{n - 1, -1, maxRows + 1} {
			if err := x.Resize(capacity); err == nil {
				t.Fatalf("resized to %d", capacity)
			}
		}
		sameAsRows(t, x, rows)
		must(t, x.Add(n, []float32{100, 0, 0, 0, 0}, AddOptions{}))
	})
}

// sameAsRows checks that each label's vector is that of its row.
func sameAsRows(t *testing.T, x engine, rows vector.Matrix) {
	t.Helper()
	v := make([]float32, rows.Dim())
	for i := range rows.Rows() {
		must(t, x.Vector(uint64(i), v))
		if squared(v, decoded(rows, i)) != 0 {
			t.Fatalf("label %d holds another row's vector", i)
		}
	}
}

func TestFixedCapacity(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, Config{Dim: 2, Capacity: 3, FixedCapacity: true}, func(t *testing.T, x engine) {
		for i := range 3 {
			must(t, x.Add(uint64(i), point(float32(i)), AddOptions{}))
		}
		wantError(t, x.Add(3, point(3), AddOptions{}), ErrFull)
		must(t, x.Add(1, point(7), AddOptions{})) // an update needs no room
		wantError(t, x.AddBatch(ctx, matrix(t, integerRows(2, 2, 1), 2), []uint64{2, 9}, BatchOptions{Threads: 1}), ErrFull)
		if x.Len() != 3 || x.Capacity() != 3 {
			t.Fatalf("%d elements, room for %d", x.Len(), x.Capacity())
		}
		must(t, x.Resize(4))
		must(t, x.Add(3, point(3), AddOptions{}))
		wantError(t, x.Add(4, point(4), AddOptions{}), ErrFull)
	})
}

// TestConcurrentBatchesKeepLabelsAndRowsTogether: ids are given in row order whatever thread stores them.
func TestConcurrentBatchesKeepLabelsAndRowsTogether(t *testing.T) {
	rows := matrix(t, randomRows(2000, 8, 3), 8)
	eachEngine(t, Config{Dim: 8}, func(t *testing.T, x engine) {
		must(t, x.AddBatch(context.Background(), rows, nil, BatchOptions{Threads: 8}))
		labels, err := x.Labels()
		must(t, err)
		for i, label := range labels {
			if label != uint64(i) {
				t.Fatalf("slot %d has label %d", i, label)
			}
		}
		sameAsRows(t, x, rows)
	})
}
