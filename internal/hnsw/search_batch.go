package hnsw

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/internal/workers"
	"github.com/shale-search/shale/vector"
)

// NoLabel stands in Results where no element was found. The distance there is +Inf.
const NoLabel = math.MaxUint64

// BatchSearchOptions says how to search for many queries.
type BatchSearchOptions struct {
	SearchOptions           // of every query; Stats gets the sums, Exact where all were, and a Stop, which serves one search, is refused
	Filters       []*Filter // one for each query, in place of Filter; nil: Filter for all
	Threads       int       // goroutines; 0: GOMAXPROCS
}

// Results holds what a batch of queries found: a row of K for each query, nearest first, filled up with NoLabel and +Inf.
type Results struct {
	K         int
	Labels    []uint64
	Distances []float32
	Counts    []int // elements found for each query
}

// NewResults makes room for the results of so many queries.
func NewResults(queries, k int) *Results {
	return &Results{
		K: k, Labels: make([]uint64, queries*k), Distances: make([]float32, queries*k), Counts: make([]int, queries),
	}
}

// Room reports whether r has room for the results of the given number of queries.
func (r *Results) Room(queries int) bool {
	return len(r.Counts) >= queries && min(len(r.Labels), len(r.Distances))/r.K >= queries
}

// Set makes found, at most K, the results of a query.
func (r *Results) Set(query int, found []Neighbor) {
	labels, distances := r.Labels[query*r.K:(query+1)*r.K], r.Distances[query*r.K:(query+1)*r.K]
	for i, f := range found {
		labels[i], distances[i] = f.Label, f.Distance
	}
	for i := len(found); i < r.K; i++ {
		labels[i], distances[i] = NoLabel, float32(math.Inf(1))
	}
	r.Counts[query] = len(found)
}

// SearchBatch searches for the rows of queries. Of a k above the number of elements it takes that number: Results.K is
// the smaller of both, at least 1. An error names the first row that failed.
func (r *Reader) SearchBatch(ctx context.Context, queries vector.Matrix, k int, o BatchSearchOptions) (*Results, error) {
	return r.searchBatch(ctx, r.guarded(), queries, k, o)
}

// SearchBatchInto is SearchBatch that writes to out, which has room for out.K elements a query.
func (r *Reader) SearchBatchInto(ctx context.Context, queries vector.Matrix, out *Results, o BatchSearchOptions) error {
	return r.searchBatchInto(ctx, r.guarded(), queries, out, o)
}

// intoSearcher is what searches for one query.
type intoSearcher interface {
	SearchInto(dst []Neighbor, query []float32, k int, o SearchOptions) ([]Neighbor, error)
}

// guarded is what answers a batch query by query, so that one that faults is one that failed; nil where none can.
func (r *Reader) guarded() intoSearcher {
	if r.faulty() {
		return r
	}
	return nil
}

// searchBatch answers query by query by x, or several in turn by r itself where x is nil.
func (r *Reader) searchBatch(ctx context.Context, x intoSearcher, queries vector.Matrix, k int, o BatchSearchOptions) (*Results, error) {
	if err := r.checkQueries(queries, k, &o); err != nil {
		return nil, err
	}
	k = min(k, max(r.Len(), 1))
	if err := CheckResults(queries.Rows(), k); err != nil {
		return nil, err
	}
	out := NewResults(queries.Rows(), k)
	if err := r.searchBatchInto(ctx, x, queries, out, o); err != nil {
		return nil, err
	}
	return out, nil
}

func (r *Reader) searchBatchInto(ctx context.Context, x intoSearcher, queries vector.Matrix, out *Results, o BatchSearchOptions) error {
	rows := queries.Rows()
	if err := r.checkQueries(queries, out.K, &o); err != nil {
		return err
	}
	if !out.Room(rows) {
		return fmt.Errorf("hnsw: no room for %d results of each of %d queries", out.K, rows)
	}
	b := batchSearch{r: r, x: x, ctx: ctx, queries: queries, k: out.K, o: o, out: out, failedRow: rows}
	if err := b.resolve(); err != nil {
		return err
	}
	threads := workers.Threads(o.Threads, rows)
	if b.lanes = lanes; rows == threads && o.Ef >= longEf {
		b.lanes = 1
	}
	workers.Run(threads, &b, (*batchSearch).work)
	switch {
	case b.err != nil:
		return fmt.Errorf("query %d: %w", b.failedRow, b.err)
	case b.sum.done < rows:
		return fmt.Errorf("after %d of %d queries: %w", b.sum.done, rows, ctx.Err())
	}
	if o.Stats != nil {
		*o.Stats = b.sum.stats()
	}
	return nil
}

func (r *Reader) checkQueries(queries vector.Matrix, k int, o *BatchSearchOptions) error {
	rows := queries.Rows()
	switch {
	case o.Stop != nil:
		return errors.New("hnsw: a stop condition can't serve a batch of queries")
	case rows > 0 && queries.Dim() != r.cfg.Dim:
		return fmt.Errorf("%w: the queries have %d values, the index has %d", vector.ErrDim, queries.Dim(), r.cfg.Dim)
	case o.Filters != nil && len(o.Filters) != rows:
		return fmt.Errorf("hnsw: %d filters for %d queries", len(o.Filters), rows)
	}
	return o.Check(k)
}

// batchSearch is one SearchBatch under way.
type batchSearch struct {
	r       *Reader
	x       intoSearcher // nil: r
	ctx     context.Context
	queries vector.Matrix
	k       int
	o       BatchSearchOptions
	out     *Results
	lanes   int // queries that a goroutine answers in turn
	next    atomic.Int64
	failed  atomic.Bool

	mu        sync.Mutex // guards what follows
	sum       batchSum
	failedRow int
	err       error
}

// batchSum is what workers count.
type batchSum struct {
	distances, reranked, hops, exact, done int
}

func (b *batchSum) add(o batchSum) {
	b.distances += o.distances
	b.reranked += o.reranked
	b.hops += o.hops
	b.exact += o.exact
	b.done += o.done
}

func (b *batchSum) stats() SearchStats {
	return SearchStats{Distances: b.distances, Reranked: b.reranked, Hops: b.hops, Exact: b.exact == b.done}
}

// batchScratch is a worker's memory, kept for the next batch.
type batchScratch struct {
	query []float32
	found []Neighbor
	stats SearchStats
	lanes [lanes]lane
}

var batchScratches = sync.Pool{New: func() any { return new(batchScratch) }}

// resolve turns a bitmap that serves all queries into one over elements, where the batch asks it more often than there
// are elements.
func (b *batchSearch) resolve() (err error) {
	if b.o.Filters == nil && b.queries.Rows() >= b.r.Len()/(walkFactor*DefaultEf) {
		b.o.Filter, err = b.r.resolved(b.o.Filter)
	}
	return err
}

// work answers rows until there are none left. They are handed out in order and those begun are always answered, so those
// before a failed one are all answered and the failed row that is reported doesn't depend on chance.
func (b *batchSearch) work() {
	w := batchScratches.Get().(*batchScratch)
	defer batchScratches.Put(w)
	if cap(w.query) < b.queries.Dim() {
		w.query = make([]float32, b.queries.Dim())
	}
	var sum batchSum
	if b.x == nil {
		b.inTurn(w, &sum)
	} else {
		b.oneByOne(w, &sum)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sum.add(sum)
}

// take gives the next row and its query.
func (b *batchSearch) take(w *batchScratch) (row int, query []float32, ok bool) {
	if b.failed.Load() || b.ctx.Err() != nil {
		return 0, nil, false
	}
	row = int(b.next.Add(1)) - 1
	if row >= b.queries.Rows() {
		return 0, nil, false
	}
	query = w.query[:b.queries.Dim()]
	b.queries.Decode(row, query)
	return row, query, true
}

// options are those of the query in a row.
func (b *batchSearch) options(row int, stats *SearchStats) SearchOptions {
	o := b.o.SearchOptions
	if b.o.Filters != nil {
		o.Filter = b.o.Filters[row]
	}
	o.Stats = stats
	return o
}

func (b *batchSearch) oneByOne(w *batchScratch, sum *batchSum) {
	for {
		row, query, ok := b.take(w)
		if !ok {
			return
		}
		found, err := b.x.SearchInto(w.found[:0], query, b.k, b.options(row, &w.stats))
		w.found = found
		if err != nil {
			b.fail(row, err)
			return
		}
		b.put(row, found, &w.stats, sum)
	}
}

// put makes what was found the results of a row.
func (b *batchSearch) put(row int, found []Neighbor, stats *SearchStats, sum *batchSum) {
	sum.add(batchSum{distances: stats.Distances, reranked: stats.Reranked, hops: stats.Hops, done: 1})
	if stats.Exact {
		sum.exact++
	}
	b.out.Set(row, found)
}

func (b *batchSearch) fail(row int, err error) {
	b.failed.Store(true)
	b.mu.Lock()
	defer b.mu.Unlock()
	if row < b.failedRow {
		b.failedRow, b.err = row, err
	}
}
