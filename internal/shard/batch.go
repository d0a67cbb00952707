package shard

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/internal/workers"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// SearchBatch searches for the rows of queries. If k is above the number of rows, Results.K is that number, at least 1.
// An error names the first row that failed.
func (x *Index) SearchBatch(ctx context.Context, queries vector.Matrix, k int,
	o search.Options) (*search.Results, error) {
	if err := errors.Join(check(&o), request.CheckBatch(&o, queries.Rows(), k)); err != nil {
		return nil, err
	}
	out, err := request.NewResults(queries.Rows(), min(k, x.most()))
	if err != nil {
		return nil, err
	}
	if err := x.SearchBatchInto(ctx, queries, out, o); err != nil {
		return nil, err
	}
	return out, nil
}

// SearchBatchInto is SearchBatch that writes to out, which has room for out.K elements a query.
func (x *Index) SearchBatchInto(ctx context.Context, queries vector.Matrix,
	out *search.Results, o search.Options) error {
	x.using.RLock()
	defer x.using.RUnlock()
	rows := queries.Rows()
	if err := errors.Join(check(&o), request.CheckBatch(&o, rows, out.K), request.CheckRoom(out, rows)); err != nil {
		return err
	}
	if rows > 0 && queries.Dim() != x.Dim() {
		return fmt.Errorf("%w: the queries have %d values, the index has %d", vector.ErrDim, queries.Dim(), x.Dim())
	}
	x.settle(&o)
	b := &batch{x: x, ctx: ctx, queries: queries, k: out.K, o: o, filters: o.Filters, failedRow: rows, out: out}
	threads := workers.Threads(o.Threads, math.MaxInt)
	b.o.Filters, b.o.Threads = nil, threads/max(rows, 1)
	threads = workers.Threads(threads, rows)
	if most := x.plan.Threads; most > 0 { // each takes memory
		threads, b.o.Threads = min(threads, most), min(b.o.Threads, most)
	}
	if x.shardByShard(rows, &o) {
		newRounds(b, threads).run()
	} else {
		workers.Run(threads, b, (*batch).work)
	}
	switch {
	case b.err != nil:
		return fmt.Errorf("query %d: %w", b.failedRow, b.err)
	case b.done < rows:
		return fmt.Errorf("after %d of %d queries: %w", b.done, rows, ctx.Err())
	}
	if o.Stats != nil {
		*o.Stats = b.sum
	}
	return nil
}

// together runs work on so many goroutines, each with its number, and waits for all.
func together(threads int, work func(number int)) {
	var wg sync.WaitGroup
	for i := range threads {
		wg.Go(func() { work(i) })
	}
	wg.Wait()
}

// batch is one SearchBatch under way.
type batch struct {
	x       *Index
	ctx     context.Context
	queries vector.Matrix
	k       int
	o       search.Options   // of each query
	filters []*search.Filter // one for each query, or nil
	out     *search.Results
	next    atomic.Int64
	failed  atomic.Bool

	mu        sync.Mutex // guards what follows
	sum       search.Stats
	done      int
	failedRow int
	err       error
}

// work answers rows until there are none left.
func (b *batch) work() {
	if b.x.plan.RowsOnDisk {
		b.overlapped()
		return
	}
	l, err := b.x.takeLane()
	if err != nil {
		b.fail(0, err)
		return
	}
	defer b.x.putLane(l)
	query := make([]float32, b.x.Dim())
	for {
		row, ok := b.take(query)
		if !ok {
			return
		}
		if err := l.answer(query, b.k, b.options(row)); err != nil {
			b.fail(row, err)
			return
		}
		b.put(row, l)
	}
}

// options are those of a row's search.
func (b *batch) options(row int) *search.Options {
	if b.filters == nil {
		return &b.o
	}
	o := b.o
	o.Filter = b.filters[row]
	return &o
}

// take gives the next row and its query.
func (b *batch) take(query []float32) (row int, ok bool) {
	if b.failed.Load() || b.ctx.Err() != nil {
		return 0, false
	}
	row = int(b.next.Add(1)) - 1
	if row >= b.queries.Rows() {
		return 0, false
	}
	b.queries.Decode(row, query)
	return row, true
}

// put makes what a lane has found the results of a row.
func (b *batch) put(row int, l *lane) {
	request.Set(b.out, row, l.found)
	b.count(&l.stats, 1)
}

// count adds what a lane did and the rows that are answered by it.
func (b *batch) count(s *search.Stats, rows int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	add(&b.sum, s)
	b.done += rows
}

func (b *batch) fail(row int, err error) {
	b.failed.Store(true)
	b.mu.Lock()
	defer b.mu.Unlock()
	if row < b.failedRow || b.err == nil {
		b.failedRow, b.err = row, err
	}
}
