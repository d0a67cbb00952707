package stop

import (
	"math"

	"github.com/shale-search/shale/internal/heap"
)

// Radius is the condition of a range search: it returns all rows within a radius, in the metric's own distance (squared
// for L2), at most most. The walk goes on until it holds least rows, and for as long as a plain search with the same ef
// would: so it comes to the query's neighbourhood before it looks whether the radius is passed, and finds no fewer
// than the plain search.
func Radius(radius float32, least, most int) Condition {
	return &radiusStop{radius: radius, least: least, most: max(most, 1)}
}

// radiusStop keeps to hnswlib's rule, and beyond it to the rule of a plain search. hnswlib's walk ends where the
// nearest open candidate is farther than the radius, which is so all the way from the entry point to a small radius.
type radiusStop struct {
	radius            float32
	least, most, held int

	ef   int
	near heap.Heap[float32] // distances, negated, of the ef nearest that were met and may be returned: the farthest first
	last float32
}

func (r *radiusStop) Begin(ef int) int {
	r.ef, r.held, r.near = ef, 0, r.near[:0]
	return r.least
}

// beyond reports whether a plain search would pass over a candidate at distance d.
func (r *radiusStop) beyond(d float32) bool { return len(r.near) >= r.ef && d >= r.farthest() }

// farthest returns the distance of the farthest candidate that a plain search would keep.
func (r *radiusStop) farthest() float32 {
	if len(r.near) == 0 {
		return float32(math.Inf(-1))
	}
	return -r.near[0]
}

func (r *radiusStop) Stop(nearest, worst float32) bool {
	passed := nearest > worst && r.held >= r.most || nearest > r.radius && r.held >= r.least
	return passed && len(r.near) >= r.ef && nearest > r.farthest() // a plain search expands the farthest too
}

func (r *radiusStop) Consider(d, worst float32) bool {
	return r.held < r.most || d < worst || !r.beyond(d)
}

func (r *radiusStop) Add(_ uint64, d float32) {
	r.held++
	// Copies of a row, which come one after another, count once: they say nothing of other rows.
	if len(r.near) > 0 && d == r.last || r.beyond(d) {
		return
	}
	r.last = d
	r.near.Push(-d)
	if len(r.near) > r.ef {
		r.near.Pop()
	}
}

func (r *radiusStop) Remove(uint64, float32) { r.held-- }
func (r *radiusStop) Overfull() bool         { return r.held > r.most }

func (r *radiusStop) Finish() { r.Begin(r.ef) }

func (r *radiusStop) Keeps(_ uint64, d float32) bool {
	if d > r.radius || r.held == r.most {
		return false
	}
	r.held++
	return true
}
