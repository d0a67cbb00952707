package hnsw

import (
	"context"
	"fmt"
	"sync"

	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/internal/workers"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// SearchBatch searches for the rows of queries. Of a k above the number of elements it takes that number: Results.K is
// the smaller of both, at least 1. An error names the first row that failed.
func (r *Reader) SearchBatch(ctx context.Context, queries vector.Matrix, k int,
	o search.Options) (*search.Results, error) {
	return r.searchBatch(ctx, r.guarded(), queries, k, o)
}

// SearchBatchInto is SearchBatch that writes to out, which has room for out.K elements a query.
func (r *Reader) SearchBatchInto(ctx context.Context, queries vector.Matrix,
	out *search.Results, o search.Options) error {
	return r.searchBatchInto(ctx, r.guarded(), queries, out, o)
}

// intoSearcher is what searches for one query.
type intoSearcher interface {
	searchInto(dst []search.Neighbor, query []float32, k int, t *task) ([]search.Neighbor, error)
}

// guarded returns what answers a batch query by query, so that one that faults is one that failed; nil where none can.
func (r *Reader) guarded() intoSearcher {
	if r.faulty() {
		return r
	}
	return nil
}

// searchBatch answers query by query by x, or several in turn by r itself where x is nil.
func (r *Reader) searchBatch(ctx context.Context, x intoSearcher, queries vector.Matrix, k int,
	o search.Options) (*search.Results, error) {
	if err := r.checkQueries(queries, k, &o); err != nil {
		return nil, err
	}
	k = min(k, max(r.Len(), 1))
	out, err := request.NewResults(queries.Rows(), k)
	if err != nil {
		return nil, err
	}
	if err := r.searchBatchInto(ctx, x, queries, out, o); err != nil {
		return nil, err
	}
	return out, nil
}

func (r *Reader) searchBatchInto(ctx context.Context, x intoSearcher, queries vector.Matrix,
	out *search.Results, o search.Options) error {
	rows := queries.Rows()
	if err := r.checkQueries(queries, out.K, &o); err != nil {
		return err
	}
	if err := request.CheckRoom(out, rows); err != nil {
		return err
	}
	b := batchSearch{
		Batch: request.Batch{Context: ctx, Queries: queries},
		r:     r, x: x, k: out.K, o: o, filters: o.Filters, out: out,
	}
	if err := b.resolve(); err != nil {
		return err
	}
	threads := workers.Threads(o.Threads, rows)
	if b.atOnce = interleave; rows == threads && o.Ef >= longEf {
		b.atOnce = 1
	}
	workers.Run(threads, &b, (*batchSearch).work)
	return b.Outcome(o.Stats)
}

func (r *Reader) checkQueries(queries vector.Matrix, k int, o *search.Options) error {
	if queries.Rows() > 0 && queries.Dim() != r.cfg.Dim {
		return fmt.Errorf("%w: the queries have %d values, the index has %d", vector.ErrDim, queries.Dim(), r.cfg.Dim)
	}
	return request.CheckBatch(o, queries.Rows(), k)
}

// batchSearch is one SearchBatch under way.
type batchSearch struct {
	request.Batch
	r       *Reader
	x       intoSearcher // nil: r
	k       int
	o       search.Options // of each query
	filters []*search.Filter
	dense   *denseFilter // o.Filter over elements, or nil
	out     *search.Results
	atOnce  int // queries that a goroutine interleaves
}

// batchScratch is a worker's memory, kept for the next batch.
type batchScratch struct {
	query  []float32
	found  []search.Neighbor
	stats  search.Stats
	task   task // of a query that is answered by itself
	sum    search.Stats
	done   int // queries that sum is of
	active [interleave]activeQuery
}

var batchScratches = sync.Pool{New: func() any { return new(batchScratch) }}

// resolve turns a bitmap that serves all queries into one over elements, where the batch asks it more often than there
// are elements.
func (b *batchSearch) resolve() (err error) {
	b.o.Filters = nil
	if b.filters == nil && b.Queries.Rows() >= b.r.Len()/(walkFactor*request.DefaultEf) {
		b.dense, err = b.r.resolved(b.o.Filter)
	}
	return err
}

// work answers rows until there are none left. They are handed out in order and those begun are always answered, so
// those before a failed one are all answered and the failed row that is reported doesn't depend on chance.
func (b *batchSearch) work() {
	w := batchScratches.Get().(*batchScratch)
	defer batchScratches.Put(w)
	if cap(w.query) < b.Queries.Dim() {
		w.query = make([]float32, b.Queries.Dim())
	}
	w.sum, w.done = search.Stats{}, 0
	if b.x == nil {
		b.interleaved(w)
	} else {
		b.oneByOne(w)
	}
	if w.done > 0 {
		b.Count(&w.sum, w.done)
	}
}

// take returns the next row and its query.
func (b *batchSearch) take(w *batchScratch) (row int, query []float32, ok bool) {
	query = w.query[:b.Queries.Dim()]
	row, ok = b.Take(query)
	return row, query, ok
}

// task returns that of the query in a row.
func (b *batchSearch) task(row int, stats *search.Stats) task {
	t := task{o: b.o, resolved: b.dense}
	if b.filters != nil {
		t.o.Filter = b.filters[row]
	}
	t.o.Stats = stats
	return t
}

func (b *batchSearch) oneByOne(w *batchScratch) {
	for {
		row, query, ok := b.take(w)
		if !ok {
			return
		}
		w.task = b.task(row, &w.stats)
		found, err := b.x.searchInto(w.found[:0], query, b.k, &w.task)
		w.found = found
		if err != nil {
			b.Fail(row, err)
			return
		}
		b.put(row, found, &w.stats, w)
	}
}

// put makes what was found the results of a row.
func (b *batchSearch) put(row int, found []search.Neighbor, stats *search.Stats, w *batchScratch) {
	w.sum.Exact = stats.Exact && (w.sum.Exact || w.done == 0)
	w.sum.Distances += stats.Distances
	w.sum.Reranked += stats.Reranked
	w.sum.Hops += stats.Hops
	w.sum.Probes++
	w.done++
	request.Set(b.out, row, found)
}

// interleave is the number of queries of a batch that a goroutine answers in turn. A walk mostly waits for memory: for
// links, then for the rows or codes that they lead to. Meanwhile another walk goes on. Two are 20 to 30 % faster than
// one; three gain nothing more.
const interleave = 2

// longEf is the ef from which a query takes several times as long as another goroutine takes to come, so that one
// should rather be left to it than answered in turn.
const longEf = 400

// activeQuery is a query under way.
type activeQuery struct {
	s     *searcher // nil: no query is under way
	row   int
	stats search.Stats
}

// interleaved answers rows, several at a time.
func (b *batchSearch) interleaved(w *batchScratch) {
	for busy := true; busy; {
		busy = false
		for i := range w.active[:b.atOnce] {
			a := &w.active[i]
			if a.s == nil && !b.start(a, w) {
				continue
			}
			busy = true
			if !a.s.step(a.s.task.collector) {
				b.finish(a, w)
			}
		}
	}
}

// start begins the search for the next row that needs a walk; those before it are answered. It reports false if none is
// left.
func (b *batchSearch) start(a *activeQuery, w *batchScratch) bool {
	for {
		row, query, ok := b.take(w)
		if !ok {
			return false
		}
		t := b.task(row, &a.stats)
		s, err := b.r.prepared(query, b.k, &t)
		if err != nil {
			b.Fail(row, err)
			return false
		}
		a.s, a.row = s, row
		if s.task.collector != nil {
			return true
		}
		b.finish(a, w)
	}
}

// finish puts the results of a query in their row and makes room for another query.
func (b *batchSearch) finish(a *activeQuery, w *batchScratch) {
	b.put(a.row, b.r.conclude(a.s), &a.stats, w)
	b.r.end(a.s)
	a.s = nil
}
