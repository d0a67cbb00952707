package shard

import (
	"context"
	"fmt"
	"slices"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/internal/rowlabels"
	"github.com/shale-search/shale/vector"
)

// addBlock is how many rows are added between two looks at the context. Those of a block are added to all their shards.
const addBlock = 4096

// AddBatch adds rows under labels, or under those that ReserveLabels gives if labels is nil. Of rows with one label the
// last stays. When ctx ends some rows may have been added; the error says how many.
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
			err = a.block(ctx, lo, hi)
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

// adder is one AddBatch.
type adder struct {
	x      *Index
	rows   vector.Matrix
	labels []uint64
	o      hnsw.BatchOptions
	old    rowlabels.Set     // rows whose label a later one has
	found  map[uint64]*place // of the labels that were there before

	query []float32
	into  [][]int // rows of the block that go to each shard
	sizes []int   // rows of each shard, those of the block included
}

// prepare finds where the labels lie, or reserves labels.
func (a *adder) prepare() error {
	x, n := a.x, a.rows.Rows()
	a.query, a.into = make([]float32, x.Dim()), make([][]int, len(x.parts))
	if a.labels != nil {
		a.old, _ = rowlabels.Superseded(a.labels)
		var err error
		a.found, err = x.locate(a.labels)
		return err
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

// block adds the rows from lo to hi to their shards.
func (a *adder) block(ctx context.Context, lo, hi int) error {
	x := a.x
	added, back, stored, err := a.assign(lo, hi)
	if err != nil {
		return err
	}
	for i, rows := range a.into {
		if len(rows) > 0 {
			if err := x.loadAll(ctx, []uint32{uint32(i)}); err != nil {
				return err
			}
		}
	}
	if stored > added {
		x.counts.repeats.Store(true) // before searches can meet a row twice
	}
	x.counts.stored.Add(int64(stored))
	for i, rows := range a.into {
		if len(rows) == 0 {
			continue
		}
		x.change.changed[i] = true
		if err := a.addTo(context.WithoutCancel(ctx), i, rows); err != nil {
			x.change.failed = x.ofPart(i, err)
			return x.change.failed
		}
	}
	x.counts.rows.Add(int64(added))
	x.counts.deleted.Add(-int64(back))
	return nil
}

// assign fills into. It returns the numbers of new labels, of labels that were deleted, and of rows that are stored
// anew.
func (a *adder) assign(lo, hi int) (added, back, stored int, err error) {
	x := a.x
	x.using.RLock()
	defer x.using.RUnlock()
	a.sizes = a.sizes[:0]
	for i, p := range x.parts {
		a.into[i] = a.into[i][:0]
		a.sizes = append(a.sizes, p.Len())
	}
	for row := lo; row < hi; row++ {
		label := a.labels[row]
		x.change.next.Met(label)
		if a.old.Has(row) {
			continue
		}
		at := a.found[label]
		routes, probes, err := a.routes(row)
		if err != nil {
			return 0, 0, 0, fmt.Errorf("row %d: %w", row, err)
		}
		var parts []uint32
		rows, all := int(x.counts.rows.Load())+added, int(x.counts.stored.Load())+stored
		switch {
		case at == nil:
			added++
			parts = []uint32{routes[0].part}
			if len(routes) > 1 && float64(all+1) < x.change.copies*float64(rows+1) {
				parts = append(parts, routes[1].part)
			}
			stored += len(parts)
		default:
			if at.deleted {
				back++
			}
			parts = slices.Clone(at.parts)
			if !meets(routes[:probes], at.parts) && all+1 <= 2*rows {
				parts = append(parts, routes[0].part)
				stored++
			}
		}
		for _, p := range parts {
			a.into[p] = append(a.into[p], row)
			a.sizes[p]++
		}
	}
	return added, back, stored, nil
}

// routes returns the shards for a row, at least one, and how many of them a search for it looks into.
func (a *adder) routes(row int) (routes []route, probes int, err error) {
	x := a.x
	if x.router == nil { // every search looks into all shards
		smallest := 0
		for i, n := range a.sizes {
			if n < a.sizes[smallest] {
				smallest = i
			}
		}
		for i := range a.sizes {
			routes = append(routes, route{part: uint32((smallest + i) % len(a.sizes))})
		}
		return routes, len(routes), nil
	}
	a.rows.Decode(row, a.query)
	if x.metric == vector.Cosine {
		vector.Normalize(a.query)
	}
	if routes, err = x.router.find(&x.change.finder, a.query, 2); err != nil {
		return nil, 0, err
	}
	return routes, holding(routes, x.router.massFor(request.DefaultShare)), nil
}

// meets reports whether one of routes leads to one of parts.
func meets(routes []route, parts []uint32) bool {
	return slices.ContainsFunc(routes, func(r route) bool { return slices.Contains(parts, r.part) })
}

// addTo adds the given rows to a shard, which is loaded.
func (a *adder) addTo(ctx context.Context, part int, rows []int) error {
	dim := a.rows.Dim()
	data, labels := make([]float32, len(rows)*dim), make([]uint64, len(rows))
	for i, row := range rows {
		a.rows.Decode(row, data[i*dim:])
		labels[i] = a.labels[row]
	}
	m, err := vector.Of(data, dim)
	if err != nil {
		return err
	}
	return a.x.parts[part].graph.AddBatch(ctx, m, labels, hnsw.BatchOptions{Threads: a.o.Threads, Training: a.o.Training})
}
