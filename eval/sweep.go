package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/workers"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// Point holds the measurements of one setting. Numbers are averages over the queries.
type Point struct {
	Ef        int     `json:"ef"`
	Slack     float32 `json:"slack"`
	Share     float64 `json:"share,omitempty"` // share of neighbours to look for, in an index of several shards
	Recall    float64 `json:"recall"`
	QPS       float64 `json:"qps"`                  // queries a second; 0 if not timed
	P50       float64 `json:"p50_us"`               // median time of a search in microseconds; 0 if timed in batches
	P95       float64 `json:"p95_us"`               // 95th percentile
	P99       float64 `json:"p99_us"`               // 99th percentile
	Distances float64 `json:"distances"`            // distances computed; estimates if the index has codes
	Reranked  float64 `json:"reranked"`             // candidates ranked by their rows
	Hops      float64 `json:"hops"`                 // nodes expanded
	Reads     float64 `json:"reads,omitempty"`      // reads from disk, if rows stay there
	ReadBytes float64 `json:"read_bytes,omitempty"` // bytes that these reads returned
}

// Options controls Sweep and Tune. The zero value measures recall@10 on one thread.
type Options struct {
	K       int           // results of a query; 0 means 10
	Threads int           // threads that search at the same time; 0 means 1
	MinTime time.Duration // queries are repeated for at least this time; 0 means one pass
	Shares  []float64     // further values of Search.Share for Tune to try
	Batch   bool          // time one call for all queries instead of a call a query

	// Search holds the options of each search. Sweep and Tune set Ef, Threads and Stats themselves. With a filter the
	// truth must be that of the labels allowed, and may hold fewer than K.
	Search search.Options

	Progress func(done int) // if not nil, called with the number of values of ef measured
}

func (o Options) withDefaults() Options {
	o.K, o.Threads = cmp.Or(o.K, 10), cmp.Or(o.Threads, 1)
	return o
}

// bench is an index with the queries to search for.
type bench struct {
	x       *shale.Index
	batch   vector.Matrix
	queries [][]float32 // its rows
	truth   *Truth
	o       Options
}

func newBench(x *shale.Index, queries vector.Matrix, truth *Truth, o Options) (*bench, error) {
	b := &bench{x: x, batch: queries, o: o.withDefaults()}
	if b.o.K < 1 || b.o.Threads < 1 {
		return nil, fmt.Errorf("eval: k of %d on %d threads can't be measured", b.o.K, b.o.Threads)
	}
	if queries.Rows() == 0 {
		return nil, errors.New("eval: there are no queries")
	}
	if err := truth.checkFor(queries.Rows()); err != nil {
		return nil, err
	}
	if b.o.Search.Filter == nil { // which may allow fewer than k
		if err := truth.covers(b.o.K, x.Len()); err != nil {
			return nil, fmt.Errorf("eval: %w", err)
		}
	}
	var err error
	if b.truth, err = truth.measured(x, queries, b.o.K); err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	for i := range queries.Rows() {
		q := make([]float32, queries.Dim())
		queries.Decode(i, q)
		b.queries = append(b.queries, q)
	}
	return b, nil
}

// Sweep measures searches with each ef in turn. Recall and the counts come from a first pass, which warms the caches
// and isn't timed.
func Sweep(ctx context.Context, x *shale.Index, queries vector.Matrix, truth *Truth, efs []int,
	o Options) ([]Point, error) {
	b, err := newBench(x, queries, truth, o)
	if err != nil {
		return nil, err
	}
	points := make([]Point, 0, len(efs))
	for i, ef := range efs {
		if b.o.Progress != nil {
			b.o.Progress(i)
		}
		p, err := b.quality(ctx, ef)
		if err != nil {
			return nil, err
		}
		if err := b.time(ctx, &p); err != nil {
			return nil, err
		}
		points = append(points, p)
	}
	return points, nil
}

// quality measures everything but time.
func (b *bench) quality(ctx context.Context, ef int) (Point, error) {
	var hits, of, distances, reranked, hops, reads, bytes atomic.Int64
	err := b.each(ctx, func() func(q int) error {
		var found []search.Neighbor
		var stats search.Stats
		o := b.options(ef)
		o.Stats = &stats
		return func(q int) error {
			var err error
			found, err = b.x.SearchInto(found[:0], b.queries[q], b.o.K, o)
			right, asked := b.truth.hits(q, found, b.o.K)
			hits.Add(int64(right))
			of.Add(int64(asked))
			distances.Add(int64(stats.Distances))
			reranked.Add(int64(stats.Reranked))
			hops.Add(int64(stats.Hops))
			reads.Add(int64(stats.Reads))
			bytes.Add(stats.Bytes)
			return err
		}
	})
	n := float64(len(b.queries))
	return Point{
		Ef: ef, Slack: b.o.Search.Slack, Share: b.o.Search.Share, Recall: float64(hits.Load()) / float64(of.Load()),
		Distances: float64(distances.Load()) / n, Reranked: float64(reranked.Load()) / n, Hops: float64(hops.Load()) / n,
		Reads: float64(reads.Load()) / n, ReadBytes: float64(bytes.Load()) / n,
	}, err
}

func (b *bench) options(ef int) search.Options {
	o := b.o.Search
	o.Ef, o.Threads, o.Stats = ef, 1, nil
	return o
}

// time measures passes over all queries until MinTime has gone by.
func (b *bench) time(ctx context.Context, p *Point) error {
	pass := b.oneByOne
	if b.o.Batch {
		pass = b.together
	}
	var took []time.Duration
	var total time.Duration
	passes := 0
	for ; total == 0 || total < b.o.MinTime; passes++ {
		began := time.Now()
		one, err := pass(ctx, p.Ef)
		if err != nil {
			return err
		}
		total += max(time.Since(began), 1)
		took = append(took, one...)
	}
	p.QPS = float64(passes*len(b.queries)) / total.Seconds()
	if len(took) > 0 {
		slices.Sort(took)
		p.P50, p.P95, p.P99 = percentile(took, 50), percentile(took, 95), percentile(took, 99)
	}
	return nil
}

// oneByOne searches for one query after another and returns the time that each took.
func (b *bench) oneByOne(ctx context.Context, ef int) ([]time.Duration, error) {
	took := make([]time.Duration, len(b.queries))
	return took, b.each(ctx, func() func(q int) error {
		found := make([]search.Neighbor, 0, min(b.o.K, b.x.Len()))
		last := time.Now()
		return func(q int) error {
			var err error
			found, err = b.x.SearchInto(found[:0], b.queries[q], b.o.K, b.options(ef))
			now := time.Now()
			took[q], last = now.Sub(last), now
			return err
		}
	})
}

// together searches for all queries in one call.
func (b *bench) together(ctx context.Context, ef int) ([]time.Duration, error) {
	o := b.options(ef)
	o.Threads = b.o.Threads
	_, err := b.x.SearchBatch(ctx, b.batch, b.o.K, o)
	return nil, err
}

// percentile returns the p-th percentile of sorted durations, in microseconds.
func percentile(took []time.Duration, p int) float64 {
	at := (len(took)*p + 99) / 100
	return float64(took[max(at, 1)-1].Nanoseconds()) / 1e3
}

// each calls a worker with every query, on the threads asked for. start returns the worker of a thread.
func (b *bench) each(ctx context.Context, start func() func(q int) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, workers.Threads(b.o.Threads, len(b.queries)))
	for t := range errs {
		wg.Go(func() {
			work := start()
			for ctx.Err() == nil && errs[t] == nil {
				q := int(next.Add(1)) - 1
				if q >= len(b.queries) {
					return
				}
				if err := work(q); err != nil {
					errs[t] = fmt.Errorf("query %d: %w", q, err)
				}
			}
		})
	}
	wg.Wait()
	return cmp.Or(cmp.Or(errs...), ctx.Err())
}
