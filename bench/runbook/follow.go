package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/shale-search/shale/collection"
	"github.com/shale-search/shale/internal/exact"
	"github.com/shale-search/shale/vector"
)

// batchRows is the number of documents that are written at once.
const batchRows = 1000

// runner follows a runbook.
type runner struct {
	c             *collection.Collection
	k, ef         int
	metric        vector.Metric
	rows, queries vector.Matrix
	alive         []bool // by row
	report
}

func begin(ctx context.Context, s settings, rows, queries vector.Matrix, metric vector.Metric) (*runner, error) {
	schema := collection.Schema{Vectors: []collection.Vector{{Dim: rows.Dim(), Metric: metric}}}
	if err := collection.Create(s.dir, schema); err != nil {
		return nil, err
	}
	c, err := collection.Open(ctx, s.dir, collection.Options{SegmentRows: s.segmentRows})
	return &runner{c: c, k: s.k, ef: s.ef, metric: metric, rows: rows, queries: queries, alive: make([]bool, rows.Rows())},
		err
}

func (x *runner) follow(ctx context.Context, steps []step) (report, error) {
	x.Steps = len(steps)
	for i, s := range steps {
		if s.End > len(x.alive) {
			return x.report, fmt.Errorf("step %d is about row %d of %d", i+1, s.End-1, len(x.alive))
		}
		if err := x.do(ctx, s); err != nil {
			return x.report, fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	for _, recall := range x.Recalls {
		x.MeanRecall += recall / float64(len(x.Recalls))
	}
	var err error
	x.Documents, err = x.c.Count()
	return x.report, err
}

func (x *runner) do(ctx context.Context, s step) error {
	switch s.Operation {
	case "search":
		return x.search(ctx)
	case "insert":
		return x.inBatches(s, &x.InsertSeconds, func(first, last int) error { return x.insert(ctx, first, last) })
	}
	return x.inBatches(s, &x.DeleteSeconds, func(first, last int) error { return x.delete(ctx, first, last) })
}

// inBatches calls write for the rows of a step, some at a time, and adds the seconds that it took.
func (x *runner) inBatches(s step, seconds *float64, write func(first, last int) error) error {
	began := time.Now()
	for first := s.Start; first < s.End; first += batchRows {
		last := min(first+batchRows, s.End)
		if err := write(first, last); err != nil {
			return err
		}
		for i := first; i < last; i++ {
			x.alive[i] = s.Operation == "insert"
		}
	}
	*seconds += time.Since(began).Seconds()
	return nil
}

func (x *runner) insert(ctx context.Context, first, last int) error {
	batch := make([]collection.Document, 0, last-first)
	for i := first; i < last; i++ {
		row := make([]float32, x.rows.Dim())
		x.rows.Decode(i, row)
		batch = append(batch, collection.Document{
			ID: collection.NumberID(uint64(i)), Vector: row,
		})
	}
	return x.c.Upsert(ctx, batch)
}

func (x *runner) delete(ctx context.Context, first, last int) error {
	ids := make([]collection.ID, 0, last-first)
	for i := first; i < last; i++ {
		ids = append(ids, collection.NumberID(uint64(i)))
	}
	_, err := x.c.Delete(ctx, ids...)
	return err
}

// search searches for all queries and counts the recall against a comparison with all rows that are there.
func (x *runner) search(ctx context.Context) error {
	q := collection.Query{K: x.k, Ef: x.ef}
	for i := range x.queries.Rows() {
		row := make([]float32, x.queries.Dim())
		x.queries.Decode(i, row)
		q.Near = append(q.Near, row)
	}
	began := time.Now()
	hits, err := x.c.Query(ctx, q)
	if err != nil {
		return err
	}
	x.SearchSeconds += time.Since(began).Seconds()
	truth, err := x.truth(ctx)
	if err != nil {
		return err
	}
	found, want := 0, 0
	for i, labels := range truth {
		want += len(labels)
		for _, hit := range hits[i] {
			if slices.ContainsFunc(labels, func(n uint64) bool { return collection.NumberID(n) == hit.ID }) {
				found++
			}
		}
	}
	x.Recalls = append(x.Recalls, float64(found)/float64(max(want, 1)))
	return nil
}

// truth returns the nearest rows that are there to each query.
func (x *runner) truth(ctx context.Context) ([][]uint64, error) {
	e, err := exact.New(x.queries, x.metric, x.k, 0)
	if err != nil {
		return nil, err
	}
	err = x.rows.Blocks(ctx, func(first int, rows vector.Matrix) error {
		return e.Add(ctx, rows, func(i int) (uint64, bool) { return uint64(first + i), x.alive[first+i] })
	})
	labels, _ := e.Nearest()
	return labels, err
}
