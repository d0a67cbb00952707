package request

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// Batch hands out the rows of a batch of queries and notes what became of them. Many goroutines may call its methods.
type Batch struct {
	Context context.Context
	Queries vector.Matrix
	next    atomic.Int64
	failed  atomic.Bool

	mu        sync.Mutex // guards what follows
	sum       search.Stats
	done      int
	failedRow int
	err       error
}

// Ended reports whether no more rows are to be begun, since one failed or the context ended.
func (b *Batch) Ended() bool { return b.failed.Load() || b.Context.Err() != nil }

// Take decodes the next row to query and returns its number. It reports false if none is left. Rows are handed out in
// order: where all that were taken are answered, the first that fails doesn't depend on chance.
func (b *Batch) Take(query []float32) (row int, ok bool) {
	if b.Ended() {
		return 0, false
	}
	row = int(b.next.Add(1)) - 1
	if row >= b.Queries.Rows() {
		return 0, false
	}
	b.Queries.Decode(row, query)
	return row, true
}

// Fail notes that a row failed.
func (b *Batch) Fail(row int, err error) {
	b.failed.Store(true)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil || row < b.failedRow {
		b.failedRow, b.err = row, err
	}
}

// Count adds the work that answered a number of rows.
func (b *Batch) Count(s *search.Stats, rows int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sum.Exact = s.Exact && (b.sum.Exact || b.done == 0)
	Add(&b.sum, s)
	b.done += rows
}

// Outcome returns the error of the first row that failed, or that of a context that ended before all rows were
// answered; otherwise it writes the work of all rows to stats, unless that is nil.
func (b *Batch) Outcome(stats *search.Stats) error {
	switch rows := b.Queries.Rows(); {
	case b.err != nil:
		return fmt.Errorf("query %d: %w", b.failedRow, b.err)
	case b.done < rows:
		return fmt.Errorf("after %d of %d queries: %w", b.done, rows, b.Context.Err())
	}
	if stats != nil {
		*stats = b.sum
	}
	return nil
}

// Add adds the work of o to that of s. Exact stays.
func Add(s, o *search.Stats) {
	s.Distances += o.Distances
	s.Reranked += o.Reranked
	s.Hops += o.Hops
	s.Probes += o.Probes
	s.Reads += o.Reads
	s.Bytes += o.Bytes
}
