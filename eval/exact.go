package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/crew"
	"github.com/shale-search/shale/vector"
)

// tileBytes is the size of the rows that are scored for one query after another: they stay in the second-level cache.
const tileBytes = 256 << 10

// Exact finds the true nearest neighbours of a set of queries among rows that come block by block, so that the rows need
// not fit in memory.
type Exact struct {
	queries shale.Matrix // float32, normalised if the metric asks for it
	metric  vector.Metric
	k       int
	threads int
	best    [][]shale.Neighbor // of each query, nearest first, ties by smaller label
}

// NewExact prepares to find the k nearest rows of each query. threads of 0 means GOMAXPROCS.
func NewExact(queries shale.Matrix, metric shale.Metric, k, threads int) (*Exact, error) {
	if k < 1 || k > math.MaxInt32 {
		return nil, fmt.Errorf("eval: k is %d, not at least 1 and at most %d", k, math.MaxInt32)
	}
	threads = crew.Threads(threads, queries.Rows())
	own, err := floats(queries, metric)
	if err != nil {
		return nil, fmt.Errorf("eval: queries: %w", err)
	}
	return &Exact{queries: own, metric: metric, k: k, threads: threads, best: make([][]shale.Neighbor, queries.Rows())}, nil
}

// floats copies m as float32, normalised if the metric asks for it, and refuses what can't be compared.
func floats(m shale.Matrix, metric shale.Metric) (shale.Matrix, error) {
	data := make([]float32, m.Rows()*m.Dim())
	for i := range m.Rows() {
		row := data[i*m.Dim() : (i+1)*m.Dim()]
		m.Decode(i, row)
		if err := metric.Check(row); err != nil {
			return shale.Matrix{}, fmt.Errorf("row %d: %w", i, err)
		}
		if metric == shale.Cosine {
			vector.Normalize(row)
		}
	}
	return vector.Of(data, max(m.Dim(), 1))
}

// Add takes more rows into account: row i has the label label(i), or is left out if label reports false.
func (e *Exact) Add(ctx context.Context, rows shale.Matrix, label func(i int) (uint64, bool)) error {
	if rows.Dim() != e.queries.Dim() {
		return fmt.Errorf("%w: rows have %d values, queries %d", vector.ErrDim, rows.Dim(), e.queries.Dim())
	}
	own, err := floats(rows, e.metric)
	if err != nil {
		return err
	}
	ids, labels := make([]uint32, 0, rows.Rows()), make([]uint64, 0, rows.Rows())
	for i := range rows.Rows() {
		if l, ok := label(i); ok {
			ids, labels = append(ids, uint32(i)), append(labels, l)
		}
	}
	return e.spread(func(next func() (int, int, bool)) error {
		s, err := vector.NewRowScorer(own, e.metric, nil)
		if err != nil {
			return err
		}
		for lo, hi, ok := next(); ok && ctx.Err() == nil; lo, hi, ok = next() {
			e.addTo(ctx, lo, hi, s, ids, labels)
		}
		return ctx.Err()
	})
}

// spread runs work on every thread; next hands out the queries lo to hi.
func (e *Exact) spread(work func(next func() (lo, hi int, ok bool)) error) error {
	n := len(e.best)
	share := max(min(64, (n+e.threads-1)/e.threads), 1)
	var taken atomic.Int64
	next := func() (int, int, bool) {
		hi := int(taken.Add(int64(share)))
		return hi - share, min(hi, n), hi-share < n
	}
	var wg sync.WaitGroup
	errs := make([]error, e.threads)
	for t := range e.threads {
		wg.Go(func() { errs[t] = work(next) })
	}
	wg.Wait()
	return cmp.Or(errs...)
}

// addTo offers rows to the queries lo to hi, a tile of rows at a time.
func (e *Exact) addTo(ctx context.Context, lo, hi int, s *vector.RowScorer, ids []uint32, labels []uint64) {
	tile := max(tileBytes/(4*e.queries.Dim()), 16)
	dist := make([]float32, min(tile, len(ids)))
	for at := 0; at < len(ids) && ctx.Err() == nil; at += tile {
		end := min(at+tile, len(ids))
		for q := lo; q < hi; q++ {
			e.queries.Decode(q, s.Query())
			s.BindOwn()
			s.Score(ids[at:end], dist)
			e.offer(q, labels[at:end], dist)
		}
	}
}

// offer keeps those of the rows that are among the k nearest of query q.
func (e *Exact) offer(q int, labels []uint64, dist []float32) {
	best := e.best[q]
	worst := float32(math.Inf(1))
	if len(best) == e.k {
		worst = best[e.k-1].Distance
	}
	for i, label := range labels {
		d := dist[i]
		if e.metric == shale.Cosine {
			d = max(d, 0) // rounding may take it below
		}
		if d > worst {
			continue
		}
		n := shale.Neighbor{Label: label, Distance: d}
		at, _ := slices.BinarySearchFunc(best, n, compare)
		if at == e.k {
			continue
		}
		if len(best) == e.k {
			best = best[:e.k-1]
		}
		best = slices.Insert(best, at, n)
		if len(best) == e.k {
			worst = best[e.k-1].Distance
		}
	}
	e.best[q] = best
}

// compare orders results: nearest first, ties by smaller label.
func compare(a, b shale.Neighbor) int {
	if c := cmp.Compare(a.Distance, b.Distance); c != 0 {
		return c
	}
	return cmp.Compare(a.Label, b.Label)
}

// Truth gives what was found so far.
func (e *Exact) Truth() *Truth {
	t := &Truth{Labels: make([][]uint64, len(e.best)), Distances: make([][]float32, len(e.best))}
	for q, best := range e.best {
		for _, n := range best {
			t.Labels[q] = append(t.Labels[q], n.Label)
			t.Distances[q] = append(t.Distances[q], n.Distance)
		}
	}
	return t
}
