package shard

import (
	"context"
	"fmt"

	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// AssignOptions says how Assign assigns rows.
type AssignOptions struct {
	Copies   float64 // rows stored per row, as the division expects
	Threads  int     // 0: GOMAXPROCS
	Progress func(Progress)
}

// Assignment is what Assign has done.
type Assignment struct {
	Rows   int   // of the source
	Stored int   // with their copies
	Sizes  []int // rows of each shard, copies included
}

// Assign assigns each of the source's rows to a shard, or to two, by its nearest rows in the division's sample, as
// far as the shards have room. It reads the source once, in order, and calls put with the number and the bytes of
// each row, for each shard that the row goes to. Home and Second of the division then say where the rows of the
// sample went, and where equal rows went to several shards, its centroids lead to all of them.
func Assign(
	ctx context.Context, src Source, d *Division, o AssignOptions, put func(shard uint32, row int, values []byte) error,
) (*Assignment, error) {
	a := &assigner{d: d, o: o, put: put, total: src.Rows(), dim: src.Dim()}
	a.Sizes = make([]int, d.Shards)
	a.most = int(float64(a.total)*d.copies()/float64(d.Shards)*filled) + 1
	err := src.Blocks(ctx, func(first int, rows vector.Matrix) error { return a.block(ctx, first, rows) })
	if err != nil {
		return nil, err
	}
	if a.Rows != a.total {
		return nil, fmt.Errorf("the input has %d rows now, it had %d", a.Rows, a.total)
	}
	return &a.Assignment, a.split.addTo(ctx, d.router, o.Threads)
}

// assigner assigns rows, one after another.
type assigner struct {
	Assignment
	d      *Division
	o      AssignOptions
	put    func(shard uint32, row int, values []byte) error
	total  int // rows of the source
	dim    int
	most   int // rows a shard
	picked int // rows of the sample and of those held out met so far
	kept   int // of these, those of the sample
	homes  homes
	split  splitRows
}

// block assigns the rows of a block.
func (a *assigner) block(ctx context.Context, first int, rows vector.Matrix) error {
	const step = 1 << 12
	o := search.Options{Ef: divideEf, Threads: a.o.Threads}
	for lo := 0; lo < rows.Rows(); lo += step {
		part := rows.Slice(lo, min(lo+step, rows.Rows()))
		if a.d.Shards == 1 {
			for i := range part.Rows() {
				if err := a.write(0, first+lo+i, part, i); err != nil {
					return err
				}
			}
		} else if err := a.assign(ctx, first+lo, part, o); err != nil {
			return err
		}
		a.Rows += part.Rows()
		tell(a.o.Progress, "reordering", a.Rows, a.total)
	}
	return nil
}

func (a *assigner) assign(ctx context.Context, first int, rows vector.Matrix, o search.Options) error {
	found, err := a.d.Sample.SearchBatch(ctx, rows, assignNeighbors, o)
	if err != nil {
		return fmt.Errorf("from row %d on: %w", first, err)
	}
	for i := range rows.Rows() {
		row, n := first+i, found.Counts[i]
		repeated := n > 1 && found.Distances[i*found.K] == found.Distances[i*found.K+1]
		if err := a.place(row, rows, i, found.Labels[i*found.K:i*found.K+n], repeated); err != nil {
			return err
		}
	}
	return nil
}

// place puts row i of rows into its shard or shards, given its nearest rows in the sample. If the sample holds equal
// rows, the row goes to the same shards as those, as long as they have room.
func (a *assigner) place(row int, rows vector.Matrix, i int, near []uint64, repeated bool) error {
	order := a.homes.byVotes(a.d.Home, a.d.Shards, near)
	own, inSample := a.sampled(row)
	if inSample && !repeated {
		order = a.homes.first(order, a.d.Home[own], a.d.homeOf(own))
	}
	if repeated {
		order = a.split.order(rows.RowBytes(i), order)
	}
	home, at := a.roomFor(order)
	if repeated {
		a.split.note(rows, i, home)
	}
	if err := a.write(home, row, rows, i); err != nil {
		return err
	}
	second, err := home, error(nil)
	if a.d.Second != nil && float64(a.Stored) < a.o.Copies*float64(a.Rows+i+1) {
		second, err = a.again(order, at, home, row, rows, i)
	}
	if inSample {
		a.d.settle(own, home, second)
	}
	return err
}

// again puts a row into a second shard: the first one in order that has room, other than the one at position at. It
// returns home if no other has room.
func (a *assigner) again(order []uint32, at int, home uint32, row int, rows vector.Matrix, i int) (uint32, error) {
	for j, other := range order {
		if j != at && a.Sizes[other] < a.most {
			return other, a.write(other, row, rows, i)
		}
	}
	return home, nil
}

// roomFor returns the first shard in order that has room, and its position in order. If none has room it returns the
// emptiest shard and −1.
func (a *assigner) roomFor(order []uint32) (part uint32, at int) {
	for i, p := range order {
		if a.Sizes[p] < a.most {
			return p, i
		}
	}
	best := uint32(0)
	for p, n := range a.Sizes {
		if n < a.Sizes[best] {
			best = uint32(p)
		}
	}
	return best, -1
}

// sampled returns a row's place in the sample, if it is there. Callers must ask for rows in order.
func (a *assigner) sampled(row int) (place int, ok bool) {
	sp := a.d.spread
	if a.picked >= sp.n || sp.at(a.picked) != row {
		return 0, false
	}
	held := a.d.isHeld(a.picked, len(a.d.Held)/a.dim)
	a.picked++
	if held {
		return 0, false
	}
	a.kept++
	return a.kept - 1, true
}

// write puts row i of rows into a shard.
func (a *assigner) write(shard uint32, row int, rows vector.Matrix, i int) error {
	a.Sizes[shard]++
	a.Stored++
	return a.put(shard, row, rows.RowBytes(i))
}

// homes holds the shards that a row belongs to.
type homes struct {
	votes []int
	order []uint32
	put   []uint32
}

// byVotes returns the shards of a row's neighbours in the sample, most frequent first, ties by the nearer neighbour.
func (h *homes) byVotes(of []uint32, parts int, near []uint64) []uint32 {
	if h.votes == nil {
		h.votes = make([]int, parts)
	}
	h.order = h.order[:0]
	for _, n := range near {
		if n >= uint64(len(of)) {
			continue
		}
		part := of[n]
		if h.votes[part] == 0 {
			h.order = append(h.order, part)
		}
		h.votes[part]++
	}
	for i := 1; i < len(h.order); i++ { // insertion sort: few elements, and stable
		for j := i; j > 0 && h.votes[h.order[j]] > h.votes[h.order[j-1]]; j-- {
			h.order[j], h.order[j-1] = h.order[j-1], h.order[j]
		}
	}
	for _, part := range h.order {
		h.votes[part] = 0
	}
	return h.order
}

// first moves two shards, which may be the same, to the front of order.
func (h *homes) first(order []uint32, a, b uint32) []uint32 {
	h.put = append(h.put[:0], a)
	if b != a {
		h.put = append(h.put, b)
	}
	for _, part := range order {
		if part != a && part != b {
			h.put = append(h.put, part)
		}
	}
	return h.put
}
