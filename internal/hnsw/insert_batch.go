package hnsw

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/workers"
	"github.com/shale-search/shale/vector"
)

// BatchOptions controls AddBatch.
type BatchOptions struct {
	AddOptions
	// EfConstruction is the number of candidates for the links of these rows; 0: as many as the index has. It is raised to
	// M.
	EfConstruction int
	Threads        int            // goroutines; 0: GOMAXPROCS
	Progress       func(done int) // called after every 256 rows or so with the number added; calls don't overlap
	// Training is called with the steps done while product quantization is trained, before any row is added.
	Training func(done, total int)
}

// AddBatch adds rows under labels, or under labels from ReserveLabels if labels is nil. If a label is given twice, its
// last row stays. Elements get their numbers in the order of the rows. On an error, or if ctx ends, some rows may have
// been added; the error says how many.
func (x *Index) AddBatch(ctx context.Context, rows vector.Matrix, labels []uint64, o BatchOptions) error {
	if x.cfg.external() {
		return fmt.Errorf("%w: AddAttached adds", ErrExternal)
	}
	return x.addBatch(ctx, rows, labels, x.ReserveLabels, o)
}

// addBatch is AddBatch that takes labels from reserve where it is given none.
func (x *Index) addBatch(ctx context.Context, rows vector.Matrix, labels []uint64,
	reserve func(n int) (uint64, error), o BatchOptions) error {
	if err := x.cfg.CheckBatch(rows, labels); err != nil || rows.Rows() == 0 {
		return err
	}
	if o.ReplaceDeleted && !x.replacing {
		return ErrReplaceDisabled
	}
	if err := x.trainFor(ctx, rows, o.Training); err != nil {
		return err
	}
	if o.EfConstruction > 0 {
		o.EfConstruction = max(o.EfConstruction, x.cfg.M)
	}
	b := &batch{x: x, rows: rows, labels: labels, o: o}
	if labels == nil {
		var err error
		if b.base, err = reserve(rows.Rows()); err != nil {
			return err
		}
	}
	b.run(ctx, workers.Threads(o.Threads, rows.Rows()))
	if b.err == nil && int(b.done.Load()) < rows.Rows() {
		b.err = ctx.Err()
	}
	if b.err != nil {
		return fmt.Errorf("after %d of %d rows: %w", b.done.Load(), rows.Rows(), b.err)
	}
	return x.connectAll(false)
}

// aloneRows is how many elements an index has before several are inserted at once. Those that are don't see each other,
// and among few elements one that was held up between its search and its links would be found by hardly any later one.
const aloneRows = 128

// run adds the rows, the first of an empty index in this goroutine.
func (b *batch) run(ctx context.Context, threads int) {
	if b.end = min(b.rows.Rows(), max(aloneRows-b.x.Len(), 0)); b.end > 0 {
		b.work(ctx)
	}
	b.end = b.rows.Rows()
	var wg sync.WaitGroup
	for range min(threads, b.end-b.next) {
		wg.Go(func() {
			workers.Begin(ctx)
			b.work(ctx)
		})
	}
	wg.Wait()
}

// CheckBatch returns an error if an index of this configuration can't hold one of the rows under its label.
func (c *Config) CheckBatch(rows vector.Matrix, labels []uint64) error {
	if labels != nil && len(labels) != rows.Rows() {
		return fmt.Errorf("hnsw: %d labels for %d rows", len(labels), rows.Rows())
	}
	if err := CheckLabels(labels); err != nil {
		return err
	}
	if rows.Rows() > 0 && rows.Dim() != c.Dim {
		return fmt.Errorf("%w: rows have %d values, the index has %d", vector.ErrDim, rows.Dim(), c.Dim)
	}
	if rows.Type() != vector.Float32 && rows.Type() != vector.Float16 {
		return nil
	}
	v := make([]float32, rows.Dim())
	for i := range rows.Rows() {
		rows.Decode(i, v)
		if err := c.checkValues(v); err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
	}
	return nil
}

// batch is the rows of one AddBatch, handed out one by one.
type batch struct {
	x      *Index
	rows   vector.Matrix
	labels []uint64
	base   uint64 // the label of the first row, where there are none
	o      BatchOptions

	mu   sync.Mutex // held while a row is taken and its slot reserved, so that slots come in the order of rows
	next int
	end  int // of the rows to be taken for now
	safe int // rows that preserveAhead has looked at
	err  error
	done atomic.Int64

	reporting sync.Mutex
}

// work adds rows until none are left. In between it lets other goroutines run, such as searches.
func (b *batch) work(ctx context.Context) {
	vec := make([]float32, b.rows.Dim())
	var yield workers.Yield
	for ctx.Err() == nil && b.one(vec) {
		yield.Now()
	}
}

// one adds one row and reports whether to go on.
func (b *batch) one(vec []float32) bool {
	row, at, lock := b.take()
	if lock == nil {
		return false
	}
	err := b.put(at, row, vec)
	b.x.structure.RUnlock()
	lock.Unlock()
	if err == nil {
		err = b.x.retrain()
	}
	if err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.err = errors.Join(b.err, err)
		return false
	}
	b.report(int(b.done.Add(1)))
	return true
}

// put decodes a row and puts it in its slot.
func (b *batch) put(at slot, row int, vec []float32) (err error) {
	if at.g.mapped {
		defer mmap.Catch(mmap.Guard(), &err)
	}
	b.rows.Decode(row, vec)
	return b.x.put(at, vec)
}

// take reserves the next row's slot. The caller gets it with structure held for reading and its label's lock, which is
// nil at the end or after an error.
func (b *batch) take() (row int, at slot, lock *sync.Mutex) {
	b.mu.Lock()
	defer b.mu.Unlock()
	row = b.next
	if b.err != nil || row == b.end {
		return row, at, nil
	}
	b.next++
	if b.err = b.preserve(row); b.err != nil {
		return row, at, nil
	}
	label := b.label(row)
	lock = b.x.lockLabel(label)
	if at, b.err = b.x.reserveOrGrow(label, b.o.AddOptions); b.err != nil {
		lock.Unlock()
		return row, at, nil
	}
	at.ef = b.o.EfConstruction
	return row, at, lock
}

func (b *batch) label(row int) uint64 {
	if b.labels != nil {
		return b.labels[row]
	}
	return b.base + uint64(row)
}

// preserve lets an index in a file note what the rows are that those from row on are to replace.
func (b *batch) preserve(row int) error {
	if b.x.backing == nil || row < b.safe {
		return nil
	}
	n, err := b.x.preserveAhead(b.rows.Rows()-row, func(i int) uint64 { return b.label(row + i) })
	b.safe = row + n
	return err
}

// report tells of every 256th row, unless another goroutine is telling.
func (b *batch) report(done int) {
	if b.o.Progress == nil || done%256 != 0 && done != b.rows.Rows() {
		return
	}
	if done == b.rows.Rows() {
		b.reporting.Lock()
	} else if !b.reporting.TryLock() {
		return
	}
	defer b.reporting.Unlock()
	b.o.Progress(done)
}
