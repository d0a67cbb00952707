package shard

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

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
	b := &batch{
		Batch: request.Batch{Context: ctx, Queries: queries},
		x:     x, k: out.K, o: o, filters: o.Filters, out: out,
	}
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
	return b.Outcome(o.Stats)
}

// together runs work on the given number of goroutines, passing each its number, and waits for all.
func together(threads int, work func(number int)) {
	var wg sync.WaitGroup
	for i := range threads {
		wg.Go(func() { work(i) })
	}
	wg.Wait()
}

// batch is a SearchBatch in progress.
type batch struct {
	request.Batch
	x       *Index
	k       int
	o       search.Options   // of each query
	filters []*search.Filter // one for each query, or nil
	out     *search.Results
}

// work answers rows until there are none left.
func (b *batch) work() {
	if b.x.plan.RowsOnDisk && !b.o.Exact {
		b.overlapped()
		return
	}
	l, err := b.x.takeLane()
	if err != nil {
		b.Fail(0, err)
		return
	}
	defer b.x.putLane(l)
	query := make([]float32, b.x.Dim())
	for {
		row, ok := b.Take(query)
		if !ok {
			return
		}
		if err := l.answer(query, b.k, b.options(row)); err != nil {
			b.Fail(row, err)
			return
		}
		b.put(row, l)
	}
}

// options returns the options of a row's search.
func (b *batch) options(row int) *search.Options {
	if b.filters == nil {
		return &b.o
	}
	o := b.o
	o.Filter = b.filters[row]
	return &o
}

// put stores what a lane has found as the results of a row.
func (b *batch) put(row int, l *lane) {
	request.Set(b.out, row, l.found)
	b.Count(&l.stats, 1)
}
