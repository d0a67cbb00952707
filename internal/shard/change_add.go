package shard

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/rowlabels"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/vector"
)

// all returns the shards and the growing segment, if there is one. The caller holds using or change.mu.
func (x *Index) all() []*part {
	if x.growing == nil {
		return x.parts
	}
	return append(slices.Clip(x.parts), x.growing)
}

// part returns the i-th of all.
func (x *Index) part(i uint32) *part {
	if int(i) < len(x.parts) {
		return x.parts[i]
	}
	return x.growing
}

// inGrowing reports whether the growing segment has a row with the label, and whether that is deleted. The caller holds
// change.mu.
func (x *Index) inGrowing(label uint64) (deleted, ok bool, err error) {
	if x.growing == nil {
		return false, false, nil
	}
	return x.growing.graph.Find(label)
}

// grow makes the growing segment if there is none. It keeps rows as shards do, without codes, so that few rows need no
// training: rows that shards only have codes of are kept as float32.
func (x *Index) grow() error {
	if x.growing != nil {
		return nil
	}
	c := x.parts[0].Config()
	c.Codes, c.Capacity, c.ReplaceDelete = hnsw.Codes{}, 0, false
	if c.Storage == rowtype.NoRows {
		c.Storage = vector.Float32
	}
	g, err := hnsw.New(c)
	if err != nil {
		return fmt.Errorf("growing segment: %w", err)
	}
	x.using.Lock()
	defer x.using.Unlock()
	if x.closed.Load() {
		return errors.Join(hnsw.ErrClosed, g.Close())
	}
	x.growing = &part{Reader: &g.Reader, close: g.Close, graph: g}
	return nil
}

// openGrowing opens the growing segment, if the index has one.
func (x *Index) openGrowing(ctx context.Context, dir string) error {
	if x.m.Growing == nil {
		return nil
	}
	path := filepath.Join(dir, x.m.Growing.File)
	g, err := store.OpenIndex(ctx, path, x.files)
	if err != nil {
		return err
	}
	x.growing = &part{Reader: &g.Reader, close: g.Close, graph: g}
	return x.checkPart(x.growing, path, x.m.Growing.Shard)
}

// addBlock is the number of rows to add between two checks of the context.
const addBlock = 4096

// AddBatch adds rows under labels, or under labels from ReserveLabels if labels is nil. The last of several rows with
// the same label replaces the others. If ctx ends, some rows may have been added; the error says how many.
func (x *Index) AddBatch(ctx context.Context, rows vector.Matrix, labels []uint64, o hnsw.BatchOptions) error {
	x.change.mu.Lock()
	defer x.change.mu.Unlock()
	if err := x.mayChange(); err != nil {
		return err
	}
	c := x.parts[0].Config()
	if err := c.CheckBatch(rows, labels); err != nil || rows.Rows() == 0 {
		return err
	}
	a := &adder{x: x, rows: rows, labels: labels, o: o}
	if err := a.prepare(); err != nil {
		return err
	}
	for lo := 0; lo < rows.Rows(); lo += addBlock {
		hi := min(lo+addBlock, rows.Rows())
		err := ctx.Err()
		if err == nil {
			err = a.block(context.WithoutCancel(ctx), lo, hi)
		}
		if err != nil {
			return fmt.Errorf("after %d of %d rows: %w", lo, rows.Rows(), err)
		}
		if o.Progress != nil {
			o.Progress(hi)
		}
	}
	return nil
}

// adder is the state of one call of AddBatch.
type adder struct {
	x      *Index
	rows   vector.Matrix
	labels []uint64
	o      hnsw.BatchOptions
	old    rowlabels.Set     // rows whose label a later row has too
	found  map[uint64]*place // where shards hold the labels

	into []int // the rows of the block that are added
}

// prepare finds the labels in shards, or reserves labels.
func (a *adder) prepare() error {
	x, n := a.x, a.rows.Rows()
	if err := x.grow(); err != nil {
		return err
	}
	if a.labels != nil {
		a.old, _ = rowlabels.Superseded(a.labels)
		var err error
		if a.found, err = x.locate(a.labels); err != nil {
			return err
		}
		return x.ownMarks(a.found)
	}
	first, err := x.reserve(n)
	if err != nil {
		return err
	}
	a.labels = make([]uint64, n)
	for i := range a.labels {
		a.labels[i] = first + uint64(i)
	}
	return nil
}

// block adds the rows from lo to hi to the growing segment. Rows of shards with their labels die after that: a search
// that doesn't meet the one meets the other.
func (a *adder) block(ctx context.Context, lo, hi int) error {
	x := a.x
	change, err := a.survey(lo, hi)
	if err != nil {
		return err
	}
	if len(change.dying) > 0 {
		x.counts.repeats.Store(true)
	}
	x.counts.stored.Add(int64(change.stored))
	x.change.grown = true
	if err := a.add(ctx); err != nil {
		x.change.failed = err
		return err
	}
	for _, at := range change.dying {
		if err := x.markRows(at, true); err != nil {
			x.change.failed = err
			return err
		}
	}
	x.change.replaced += len(change.dying)
	x.counts.rows.Add(int64(change.added))
	x.counts.deleted.Add(-int64(change.back))
	return nil
}

// addition is what adding a block changes.
type addition struct {
	added, back, stored int      // labels that are new; that were deleted; that the growing segment doesn't have
	dying               []*place // of these last, where shards hold them
}

// survey fills into and finds out what adding a block will change.
func (a *adder) survey(lo, hi int) (addition, error) {
	x, c := a.x, addition{}
	a.into = a.into[:0]
	for row := lo; row < hi; row++ {
		label := a.labels[row]
		x.change.next.Met(label)
		if a.old.Has(row) {
			continue
		}
		a.into = append(a.into, row)
		deleted, grown, err := x.inGrowing(label)
		if err != nil {
			return c, err
		}
		at := a.found[label]
		switch {
		case grown:
		case at == nil:
			c.added++
		default:
			deleted = at.deleted
			c.dying = append(c.dying, at)
		}
		if !grown {
			c.stored++
		}
		if deleted {
			c.back++
		}
	}
	return c, nil
}

// add adds the rows of the block to the growing segment.
func (a *adder) add(ctx context.Context) error {
	dim := a.rows.Dim()
	data, labels := make([]float32, len(a.into)*dim), make([]uint64, len(a.into))
	for i, row := range a.into {
		a.rows.Decode(row, data[i*dim:])
		labels[i] = a.labels[row]
	}
	m, err := vector.Of(data, dim)
	if err != nil {
		return err
	}
	return a.x.growing.graph.AddBatch(ctx, m, labels, hnsw.BatchOptions{Threads: a.o.Threads})
}
