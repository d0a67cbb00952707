package shale

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/internal/workers"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// Range returns the vectors within a radius of query, nearest first, ties by smaller label. The radius is a distance of
// the index's metric: for L2 the square of the Euclidean distance. If there are more than limit vectors, Range returns
// the nearest of them; a limit of 0 means all.
//
// Where the vectors within the radius are many, a walk passes through all of them, so that the time grows with their
// number. Where they are few, o.Ef says how thoroughly the walk looks for them, as in a Search: Range finds at least
// those that a Search with the same Ef finds. All shards of an index are searched, unless o names some.
func (x *Index) Range(query []float32, radius float32, limit int, o search.Options) ([]search.Neighbor, error) {
	if err := checkRange(radius, limit, &o); err != nil {
		return nil, err
	}
	return x.inRange(query, radius, limit, o)
}

func checkRange(radius float32, limit int, o *search.Options) error {
	switch {
	case math.IsNaN(float64(radius)):
		return errors.New("range search: the radius is NaN")
	case limit < 0:
		return fmt.Errorf("range search: the limit is %d, not at least 0", limit)
	case o.Stop != nil:
		return errors.New("range search: it has a stop condition of its own")
	}
	return nil
}

// inRange answers one query.
func (x *Index) inRange(query []float32, radius float32, limit int, o search.Options) ([]search.Neighbor, error) {
	if limit == 0 {
		limit = math.MaxInt
	}
	if o.Probes == 0 && o.Share == 0 && o.Shards == nil {
		o.Probes = math.MaxInt32 // all of them: the default share is that of k neighbours
	}
	request.SetDefaults(&o, x.effort())
	return x.engine.Range(query, radius, limit, o)
}

// RangeBatch does a Range for each row of queries. An error names the first query that failed.
func (x *Index) RangeBatch(ctx context.Context, queries vector.Matrix, radius float32,
	limit int, o search.Options) (*search.RangeResults, error) {
	n := queries.Rows()
	if err := errors.Join(checkRange(radius, limit, &o), request.CheckBatch(&o, n, 1)); err != nil {
		return nil, err
	}
	if n > 0 && queries.Dim() != x.Dim() {
		return nil, fmt.Errorf("%w: the queries have %d values, the index has %d", vector.ErrDim, queries.Dim(), x.Dim())
	}
	b := &rangeBatch{
		Batch: request.Batch{Context: ctx, Queries: queries},
		x:     x, radius: radius, limit: limit, o: o, found: make([][]search.Neighbor, n),
	}
	threads := workers.Threads(o.Threads, math.MaxInt)
	b.o.Filters, b.o.Threads = nil, threads/max(n, 1)
	b.filters = o.Filters
	workers.Run(workers.Threads(threads, n), b, (*rangeBatch).work)
	if err := b.Outcome(o.Stats); err != nil {
		return nil, err
	}
	return b.results()
}

// rangeBatch is a RangeBatch under way.
type rangeBatch struct {
	request.Batch
	x       *Index
	radius  float32
	limit   int
	o       search.Options   // of each query
	filters []*search.Filter // one for each query, or nil
	found   [][]search.Neighbor
}

// work answers queries until there are none left.
func (b *rangeBatch) work() {
	query := make([]float32, b.Queries.Dim())
	for {
		row, ok := b.Take(query)
		if !ok {
			return
		}
		var stats search.Stats
		o := b.o
		o.Stats = &stats
		if b.filters != nil {
			o.Filter = b.filters[row]
		}
		found, err := b.x.inRange(query, b.radius, b.limit, o)
		if err != nil {
			b.Fail(row, err)
			return
		}
		b.found[row] = found
		b.Count(&stats, 1)
	}
}

// results puts what the queries found one after another.
func (b *rangeBatch) results() (*search.RangeResults, error) {
	r := &search.RangeResults{Offsets: make([]int, len(b.found)+1)}
	for i, found := range b.found {
		r.Offsets[i+1] = r.Offsets[i] + len(found)
	}
	total := r.Offsets[len(b.found)]
	if err := mmap.Fits(12 * total); err != nil { // a label and a distance
		return nil, fmt.Errorf("range search: %d results, search for fewer queries at a time or set a limit: %w", total, err)
	}
	r.Labels, r.Distances = make([]uint64, 0, total), make([]float32, 0, total)
	for i, found := range b.found {
		for _, f := range found {
			r.Labels, r.Distances = append(r.Labels, f.Label), append(r.Distances, f.Distance)
		}
		b.found[i] = nil
	}
	return r, nil
}
