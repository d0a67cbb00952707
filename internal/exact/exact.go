// Package exact finds true nearest neighbours by computing every distance, for ground truths.
package exact

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/internal/workers"
	"github.com/shale-search/shale/vector"
)

// tileBytes is the size of the blocks of rows that are scored for one query after another, so that they stay in the
// second-level cache.
const tileBytes = 256 << 10

// Search finds the nearest rows to a set of queries. Rows are added block by block, so they need not fit in memory.
type Search struct {
	queries vector.Matrix // float32, normalised if the metric asks for it
	metric  vector.Metric
	k       int
	threads int
	best    [][]neighbor // of each query, nearest first, ties by smaller label
}

// neighbor is a row found for a query.
type neighbor struct {
	label    uint64
	distance float32
}

// New returns a search for the k nearest rows to each query. If threads is 0 it uses GOMAXPROCS threads.
func New(queries vector.Matrix, metric vector.Metric, k, threads int) (*Search, error) {
	if k < 1 || k > math.MaxInt32 {
		return nil, fmt.Errorf("k is %d, not at least 1 and at most %d", k, math.MaxInt32)
	}
	if metric > vector.Cosine {
		return nil, fmt.Errorf("unknown metric %v", metric)
	}
	threads = workers.Threads(threads, queries.Rows())
	own, err := floats(queries, metric)
	if err != nil {
		return nil, fmt.Errorf("queries: %w", err)
	}
	return &Search{queries: own, metric: metric, k: k, threads: threads, best: make([][]neighbor, queries.Rows())}, nil
}

// floats returns a copy of m as float32, normalised if the metric asks for it. A row that the metric can't compare is
// an error.
func floats(m vector.Matrix, metric vector.Metric) (vector.Matrix, error) {
	data := make([]float32, m.Rows()*m.Dim())
	for i := range m.Rows() {
		row := data[i*m.Dim() : (i+1)*m.Dim()]
		m.Decode(i, row)
		if err := score.Check(metric, row); err != nil {
			return vector.Matrix{}, fmt.Errorf("row %d: %w", i, err)
		}
		if metric == vector.Cosine {
			vector.Normalize(row)
		}
	}
	return vector.Of(data, max(m.Dim(), 1))
}

// Add compares more rows with the queries. Row i has the label label(i); if label reports false the row is left out.
func (e *Search) Add(ctx context.Context, rows vector.Matrix, label func(i int) (uint64, bool)) error {
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
		s, err := score.New(own, e.metric, nil)
		if err != nil {
			return err
		}
		for lo, hi, ok := next(); ok && ctx.Err() == nil; lo, hi, ok = next() {
			e.addTo(ctx, lo, hi, s, ids, labels)
		}
		return ctx.Err()
	})
}

// spread runs work on every thread. Each call of next returns the queries lo to hi that nobody has taken yet.
func (e *Search) spread(work func(next func() (lo, hi int, ok bool)) error) error {
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

// addTo scores the rows for the queries lo to hi, one tile of rows at a time.
func (e *Search) addTo(ctx context.Context, lo, hi int, s *score.Rows, ids []uint32, labels []uint64) {
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

// offer keeps the rows that are among the k nearest to query q.
func (e *Search) offer(q int, labels []uint64, dist []float32) {
	best := e.best[q]
	worst := float32(math.Inf(1))
	if len(best) == e.k {
		worst = best[e.k-1].distance
	}
	for i, label := range labels {
		d := dist[i]
		if e.metric == vector.Cosine {
			d = max(d, 0) // rounding may take it below
		}
		if d > worst {
			continue
		}
		n := neighbor{label, d}
		at, _ := slices.BinarySearchFunc(best, n, compare)
		if at == e.k {
			continue
		}
		if len(best) == e.k {
			best = best[:e.k-1]
		}
		best = slices.Insert(best, at, n)
		if len(best) == e.k {
			worst = best[e.k-1].distance
		}
	}
	e.best[q] = best
}

// compare orders neighbours: nearest first, ties by smaller label.
func compare(a, b neighbor) int {
	if c := cmp.Compare(a.distance, b.distance); c != 0 {
		return c
	}
	return cmp.Compare(a.label, b.label)
}

// Nearest returns the labels and distances of the nearest rows added so far, for each query, nearest first.
func (e *Search) Nearest() (labels [][]uint64, distances [][]float32) {
	labels, distances = make([][]uint64, len(e.best)), make([][]float32, len(e.best))
	for q, best := range e.best {
		for _, n := range best {
			labels[q] = append(labels[q], n.label)
			distances[q] = append(distances[q], n.distance)
		}
	}
	return labels, distances
}
