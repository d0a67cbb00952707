package hnsw

import (
	"fmt"
	"math"
)

// mostCounted is the number of elements whose lists above level 0 are counted one by one, which takes milliseconds.
const mostCounted = 1 << 22

// upperRoom returns a number of lists above level 0 that suffices for elements from to to (exclusive): what they need
// or, of many elements, the mean and twelve standard deviations. Should even that be too few, reserve lowers the last
// levels.
func upperRoom(c *Config, from, to int) int {
	n := float64(to - from)
	if c.M < 2 || n <= mostCounted {
		return upperLists(c, from, to)
	}
	m := float64(c.M) // an element's level is l or more with the probability m^-l
	return int(math.Ceil(n/(m-1) + 12*math.Sqrt(n*m)/(m-1)))
}

// upperLists returns the number of lists above level 0 that elements from to to (exclusive) need: each level is drawn
// from the seed and the id, so it can be counted beforehand.
func upperLists(c *Config, from, to int) int {
	if c.M == 0 {
		return 0 // an index without links
	}
	lists := 0
	for id := from; id < to; id++ {
		lists += c.level(uint32(id))
	}
	return lists
}

// enlarge makes room for half as many elements again. Nothing may change the index meanwhile; lists is the number of
// lists above level 0 in use.
func (r *Reader) enlarge(lists int) error {
	capacity, err := r.largerCapacity()
	if err != nil {
		return err
	}
	return r.reallocate(capacity, lists)
}

// largerCapacity is the capacity of an index that is full, and has to grow.
func (r *Reader) largerCapacity() (int, error) {
	capacity := r.graph.Load().capacity
	if r.cfg.FixedCapacity || capacity >= maxRows {
		return 0, fmt.Errorf("%w (%d)", ErrFull, capacity)
	}
	return min(max(1024, capacity+capacity/2), maxRows), nil
}

// resize makes room for capacity elements, under the same rule.
func (r *Reader) resize(capacity, lists int) error {
	if n := r.Len(); capacity < n || capacity > maxRows {
		return fmt.Errorf("hnsw: cannot resize to %d: there are %d elements, and at most %d are possible",
			capacity, n, maxRows)
	}
	return r.reallocate(capacity, lists)
}

// reallocate moves the index to arrays of another capacity, under the same rule.
func (r *Reader) reallocate(capacity, lists int) error {
	old := r.graph.Load()
	if old == nil {
		return ErrClosed
	}
	if r.cfg.external() && old.owner != nil {
		return fmt.Errorf("hnsw: room for %d elements: %w", capacity, ErrExternal)
	}
	n := r.Len()
	g, err := newGraph(&r.cfg, capacity, lists+upperRoom(&r.cfg, n, capacity))
	if err != nil {
		return err
	}
	copy(g.links0, old.links0[:n*old.m0])
	copy(g.upper, old.upper[:lists*old.m])
	copy(g.upperAt, old.upperAt[:n])
	copy(g.levels, old.levels[:n])
	copy(g.inbound, old.inbound[:n])
	g.copies = old.copies.grown(capacity)
	copy(g.labels, old.labels[:n])
	copy(g.deleted, old.deleted[:(n+31)/32])
	copy(g.ready, old.ready[:(n+31)/32])
	if r.cfg.external() {
		g.rows, g.mapped = old.rows, old.mapped
	} else {
		for i := range n {
			copy(g.rows.RowBytes(i), old.rows.RowBytes(i))
		}
	}
	switch from := old.coder.Load(); {
	case from == nil:
	case from.outside:
		g.coder.Store(from)
	default:
		c, err := newCoder(g, from.q)
		if err != nil {
			g.free()
			return err
		}
		copy(c.codes, from.codes[:n*from.q.Stride()])
		g.coder.Store(c)
	}
	r.graph.Store(g)
	old.release()
	return nil
}
