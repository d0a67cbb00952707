package hnsw

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// TestNumbersAboveTheRows: whatever is asked for, a search takes the memory of what there is.
func TestNumbersAboveTheRows(t *testing.T) {
	const n, dim = 300, 8
	rows := randomRows(n, dim, 3)
	eachEngine(t, Config{Dim: dim}, func(t *testing.T, x engine) {
		must(t, x.AddBatch(context.Background(), matrix(t, rows, dim), nil, BatchOptions{Threads: math.MaxInt}))
		o := search.Options{Ef: math.MaxInt, Rerank: math.MaxInt}
		for _, k := range []int{n, n + 1, math.MaxInt32} {
			found, err := x.Search(rows[:dim], k, o)
			must(t, err)
			if len(found) != n {
				t.Errorf("k = %d of %d rows: %d results", k, n, len(found))
			}
			batch := o
			batch.Threads = math.MaxInt
			out, err := x.SearchBatch(context.Background(), matrix(t, rows[:5*dim], dim), k, batch)
			must(t, err)
			if out.K != n || len(out.Labels) != 5*n || len(out.Distances) != 5*n {
				t.Errorf("k = %d of %d rows: rows of %d results, %d labels", k, n, out.K, len(out.Labels))
			}
			for q, c := range out.Counts {
				if c != n || out.Labels[q*n] != uint64(q) {
					t.Errorf("k = %d, query %d: %d results, the first is %d", k, q, c, out.Labels[q*n])
				}
			}
		}
	})
}

func TestBatchOfAnEmptyIndex(t *testing.T) {
	eachEngine(t, Config{Dim: 4}, func(t *testing.T, x engine) {
		out, err := x.SearchBatch(context.Background(), matrix(t, make([]float32, 8), 4), 100, search.Options{})
		must(t, err)
		if out.K != 1 || out.Counts[1] != 0 || out.Labels[1] != search.NoLabel {
			t.Errorf("got %+v", out)
		}
	})
}

func TestNonsenseIsRefused(t *testing.T) {
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		k    int
		o    search.Options
		says string
	}{
		"k of 0":         {0, search.Options{}, "k is 0, not at least 1 and at most 2147483647"},
		"negative k":     {-1, search.Options{}, "k is -1"},
		"k of 2^31":      {1 << 31, search.Options{}, "at most 2147483647"},
		"largest k":      {math.MaxInt, search.Options{}, "at most 2147483647"},
		"negative ef":    {1, search.Options{Ef: -1}, "ef is -1, not at least 0"},
		"negative":       {1, search.Options{Rerank: math.MinInt}, "rerank is -9223372036854775808, not at least 0"},
		"slack NaN":      {1, search.Options{Slack: nan}, "slack is NaN, not a finite number of at least 0"},
		"negative slack": {1, search.Options{Slack: -0.1}, "slack is -0.1"},
		"infinite slack": {1, search.Options{Slack: float32(math.Inf(1))}, "slack is +Inf"},
	} {
		eachEngine(t, Config{Dim: 2}, func(t *testing.T, x engine) {
			must(t, x.Add(1, []float32{1, 2}, AddOptions{}))
			_, err := x.Search([]float32{1, 2}, c.k, c.o)
			_, batch := x.SearchBatch(context.Background(), matrix(t, []float32{1, 2}, 2), c.k,
				c.o)
			for _, err := range []error{err, batch} {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%s: got %v, want %q", name, err, c.says)
				}
			}
		})
	}
}

func TestNonsenseOfAConfig(t *testing.T) {
	for _, c := range []Config{
		{Dim: 0}, {Dim: -1}, {Dim: math.MaxInt}, {Dim: 8, M: 1e9}, {Dim: 8, M: -1}, {Dim: 8, EfConstruction: math.MaxInt},
		{Dim: 8, Capacity: 1 << 40}, {Dim: 8, Capacity: -1}, {Dim: 8, BaseLinks: math.MaxInt},
	} {
		_, err := New(c)
		if check := c.Check(); err == nil || check == nil || check.Error() != err.Error() {
			t.Errorf("%+v: New says %v, Check %v", c, err, check)
		}
	}
}

// TestRoomOfResults: results whose K times the queries overflows have no room.
func TestRoomOfResults(t *testing.T) {
	x, err := New(Config{Dim: 2})
	must(t, err)
	defer x.Close()
	out := &search.Results{K: math.MaxInt32, Labels: make([]uint64, 10),
		Distances: make([]float32, 10), Counts: make([]int, 10)}
	err = x.SearchBatchInto(context.Background(), matrix(t, make([]float32, 4), 2), out, search.Options{})
	if err == nil || errors.Is(err, vector.ErrDim) {
		t.Errorf("got %v", err)
	}
}
