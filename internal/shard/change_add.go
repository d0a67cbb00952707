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

// addBlock is the number of rows to add between two checks of the context. The rows of a block are added to all their
// shards.
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

// adder is the state of one call of AddBatch.
type adder struct {
	x      *Index
	rows   vector.Matrix
	labels []uint64
	o      hnsw.BatchOptions
	old    rowlabels.Set     // rows whose label a later row has too
	found  map[uint64]*place // the places of labels that the index had before

	query []float32
	into  [][]int // the rows of the block for each shard
	sizes []int   // number of rows of each shard, including those of the block
}

// prepare finds the shards that hold the labels, or reserves labels.
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

// assign fills into. It returns the number of new labels, the number of labels that were deleted before, and the number
// of rows that need a new place in a shard.
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

// routes returns the shards for a row, at least one, and the number of them that a query equal to the row searches.
func (a *adder) routes(row int) (routes []route, probes int, err error) {
	x := a.x
	if x.router == nil { // every query searches all shards
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

// addTo adds the given rows to a shard, which must be loaded.
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
