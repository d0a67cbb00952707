package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shale-search/shale/collection"
	"github.com/shale-search/shale/dataset"
	"github.com/shale-search/shale/vector"
)

const importBatch = 1000

// experiment is a collection under way.
type experiment struct {
	s             settings
	c             *collection.Collection
	rows, queries vector.Matrix
	openSeconds   float64

	random *rand.Rand
	alive  []uint64 // IDs of the documents, in no order
	next   uint64   // ID of the next new document
	row    int      // that the next document is made of
	asked  atomic.Int64
	wrote  atomic.Int64
	latest window
}

func begin(ctx context.Context, s settings) (*experiment, error) {
	x := &experiment{s: s, random: rand.New(rand.NewPCG(1, 2))}
	rows, _, err := dataset.Map(s.input)
	if err != nil {
		return nil, err
	}
	x.rows = rows
	x.queries, err = dataset.ReadAll(s.queries)
	return x, err
}

// open opens the collection.
func (x *experiment) open(ctx context.Context, o collection.Options) (err error) {
	o.SegmentRows, o.Memory = x.s.segmentRows, x.s.memory<<20
	began := time.Now()
	x.c, err = collection.Open(ctx, x.s.dir, o)
	x.openSeconds = time.Since(began).Seconds()
	return err
}

// fill makes a collection of the rows, unless there is one from an earlier run, and opens it.
func (x *experiment) fill(ctx context.Context) (seconds float64, err error) {
	if _, err := os.Stat(x.s.dir); err == nil {
		return 0, errors.Join(x.open(ctx, collection.Options{}), x.readIDs(ctx))
	}
	began := time.Now()
	schema := collection.Schema{Vectors: []collection.Vector{{Dim: x.rows.Dim(), Metric: vector.Cosine}}}
	if err := collection.Create(x.s.dir, schema); err != nil {
		return 0, err
	}
	if err := x.open(ctx, collection.Options{DeferMerges: true, MergeThreads: runtime.NumCPU()}); err != nil {
		return 0, err
	}
	err = errors.Join(x.write(ctx), x.c.Close())
	seconds = time.Since(began).Seconds()
	return seconds, errors.Join(err, x.open(ctx, collection.Options{}))
}

// write writes a document for each of the rows.
func (x *experiment) write(ctx context.Context) error {
	for first := 0; first < x.rows.Rows(); first += importBatch {
		batch := make([]collection.Document, min(importBatch, x.rows.Rows()-first))
		for i := range batch {
			batch[i] = x.document(x.next, int(x.next))
			x.alive = append(x.alive, x.next)
			x.next++
		}
		if err := x.c.Upsert(ctx, batch); err != nil {
			return err
		}
	}
	return x.c.Merge(ctx)
}

func (x *experiment) readIDs(ctx context.Context) error {
	var after *collection.ID
	for {
		page, err := x.c.Scroll(ctx, collection.ScrollOptions{After: after, Limit: 10_000})
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			var n uint64
			if _, err := fmt.Sscan(page[i].ID.String(), &n); err != nil {
				return err
			}
			x.alive = append(x.alive, n)
			x.next = max(x.next, n+1)
		}
		after = &page[len(page)-1].ID
	}
}

// another returns a document whose vector is the next row, moved a little, since there is a document of that already.
// Rows are taken in order, so that the page cache, which the collection shares, isn't filled with the file.
func (x *experiment) another(id uint64) collection.Document {
	d := x.document(id, x.row)
	for i := range d.Vector {
		d.Vector[i] += 0.01 * float32(x.random.NormFloat64())
	}
	x.row = (x.row + 1) % x.rows.Rows()
	return d
}

// document returns a document whose vector is a row.
func (x *experiment) document(id uint64, at int) collection.Document {
	runtime.Gosched() // a client would be a process of its own
	row := make([]float32, x.rows.Dim())
	x.rows.Decode(at, row)
	keyword := int(200 * x.random.Float64() * x.random.Float64() * x.random.Float64())
	payload := fmt.Sprintf(`{"keyword":"value %d","number":%d,"price":%.2f,"date":"%s","text":"%s"}`, keyword,
		x.random.IntN(100_000), 1000*x.random.Float64(),
		time.Unix(1_600_000_000+x.random.Int64N(200_000_000), 0).UTC().Format(time.RFC3339), strings.Repeat("lorem ", 33))
	return collection.Document{
		ID: collection.NumberID(id), Vector: row, Payload: json.RawMessage(payload),
	}
}

// writeBatch writes one batch, and deletes as many documents as are new. It returns the number of writes.
func (x *experiment) writeBatch(ctx context.Context, r *report) (int, error) {
	batch := make([]collection.Document, 0, x.s.batch)
	taken := map[uint64]bool{}
	added := 0
	for len(batch) < x.s.batch {
		id := x.next
		if x.random.IntN(10) < 4 {
			id = x.alive[x.random.IntN(len(x.alive))]
		} else {
			x.next++
			added++
			x.alive = append(x.alive, id)
		}
		if taken[id] {
			continue
		}
		taken[id] = true
		batch = append(batch, x.another(id))
	}
	if err := x.c.Upsert(ctx, batch); err != nil {
		return 0, err
	}
	gone := make([]collection.ID, added)
	for i := range gone {
		at := x.random.IntN(len(x.alive))
		gone[i] = collection.NumberID(x.alive[at])
		x.alive[at] = x.alive[len(x.alive)-1]
		x.alive = x.alive[:len(x.alive)-1]
	}
	n, err := x.c.Delete(ctx, gone...)
	if err == nil && n != added {
		err = fmt.Errorf("%d of %d documents were deleted", n, added)
	}
	r.Upserts += len(batch)
	r.Deletes += added
	return len(batch) + added, err
}

// mix writes and searches at the same time.
func (x *experiment) mix(ctx context.Context, r *report) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(x.s.seconds)*time.Second)
	defer cancel()
	var searching sync.WaitGroup
	var searchErr error
	searching.Go(func() { r.Busy, searchErr = x.searches(ctx) })
	searching.Go(func() { x.report(ctx) })
	bySecond := make([]int, x.s.seconds+1)
	began := time.Now()
	var writeErr error
	writes := 0
	for ctx.Err() == nil && writeErr == nil {
		var n int
		if n, writeErr = x.writeBatch(context.WithoutCancel(ctx), r); writeErr == nil {
			writes = int(x.wrote.Add(int64(n)))
			bySecond[min(x.s.seconds, int(time.Since(began).Seconds()))] += n
		}
		if x.s.writes > 0 {
			time.Sleep(time.Until(began.Add(time.Duration(writes) * time.Second / time.Duration(x.s.writes))))
		}
		if disk := diskBytes(x.s.dir); writes/x.s.batch%20 == 0 {
			r.MostDiskMiB = max(r.MostDiskMiB, float64(disk)/(1<<20))
		}
	}
	r.WritesPerSec = float64(writes) / time.Since(began).Seconds()
	r.LeastWrites = slices.Min(bySecond[:max(1, x.s.seconds)])
	cancel()
	searching.Wait()
	return errors.Join(writeErr, searchErr)
}

// searchFor searches for some time while nothing is written.
func (x *experiment) searchFor(ctx context.Context, d time.Duration) (latency, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return x.searches(ctx)
}

// searches searches at the fixed rate until ctx ends. The time of a search counts from when it was due.
func (x *experiment) searches(ctx context.Context) (latency, error) {
	var times []time.Duration
	gap := time.Second / time.Duration(x.s.rate)
	due := time.Now()
	for ; ctx.Err() == nil; due = due.Add(gap) {
		time.Sleep(time.Until(due))
		if _, err := x.c.Query(context.WithoutCancel(ctx), x.query(x.nextQuery(), false)); err != nil {
			return latency{}, err
		}
		times = append(times, time.Since(due))
		x.latest.add(times[len(times)-1])
	}
	return latencyOf(times), nil
}

func (x *experiment) nextQuery() int { return int(x.asked.Add(1)-1) % x.queries.Rows() }

func (x *experiment) query(i int, exact bool) collection.Query {
	row := make([]float32, x.queries.Dim())
	x.queries.Decode(i, row)
	return collection.Query{Near: [][]float32{row}, K: x.s.k, Ef: x.s.ef, Exact: exact, Threads: 1}
}

// recall returns the share of the exact answers that searches find.
func (x *experiment) recall(ctx context.Context) (float64, error) {
	found := 0
	for i := range x.s.checked {
		exact, err := x.c.Query(ctx, x.query(i%x.queries.Rows(), true))
		if err != nil {
			return 0, err
		}
		got, err := x.c.Query(ctx, x.query(i%x.queries.Rows(), false))
		if err != nil {
			return 0, err
		}
		for _, hit := range got[0] {
			if slices.ContainsFunc(exact[0], func(e collection.Hit) bool { return e.ID == hit.ID }) {
				found++
			}
		}
	}
	return float64(found) / float64(x.s.checked*x.s.k), nil
}
