package hnsw

import "math"

// Epsilon is the condition of a range search: all elements within epsilon, in the metric's own distance (squared
// for L2), at most most. The walk goes on until at least are held, and for as long as a plain search with the
// same ef would: so it comes to the query's neighbourhood before it looks whether the radius is passed, and finds
// no fewer than the plain search.
func Epsilon(epsilon float32, least, most int) StopCondition {
	return &epsilonStop{epsilon: epsilon, least: least, most: max(most, 1)}
}

// epsilonStop keeps to hnswlib's rule, and beyond it the rule of a plain search. hnswlib's walk ends where the nearest
// open candidate is farther than epsilon, which is so all the way from the entry point to a small radius.
type epsilonStop struct {
	epsilon           float32
	least, most, held int

	ef   int
	near heap // the ef nearest that were met and may be returned, farthest first: complements of keys
	last float32
}

// begin forgets the search before.
func (e *epsilonStop) begin(ef int) { e.ef, e.held, e.near = ef, 0, e.near[:0] }

// beyond reports whether a plain search would pass over a candidate at distance d.
func (e *epsilonStop) beyond(d float32) bool { return len(e.near) >= e.ef && d >= e.farthest() }

// farthest is the distance of the farthest that a plain search would keep.
func (e *epsilonStop) farthest() float32 {
	if len(e.near) == 0 {
		return float32(math.Inf(-1))
	}
	return (^e.near[0]).distance()
}

func (e *epsilonStop) Stop(nearest, worst float32) bool {
	passed := nearest > worst && e.held >= e.most || nearest > e.epsilon && e.held >= e.least
	return passed && len(e.near) >= e.ef && nearest > e.farthest() // a plain search expands the farthest too
}

func (e *epsilonStop) Consider(d, worst float32) bool {
	return e.held < e.most || d < worst || !e.beyond(d)
}

func (e *epsilonStop) Add(_ uint64, d float32) {
	e.held++
	// Copies of a row, which come one after another, count once: they say nothing of other rows.
	if len(e.near) > 0 && d == e.last || e.beyond(d) {
		return
	}
	e.last = d
	e.near.push(^keyOf(d, 0))
	if len(e.near) > e.ef {
		e.near.pop()
	}
}

func (e *epsilonStop) Remove(uint64, float32) { e.held-- }
func (e *epsilonStop) Overfull() bool         { return e.held > e.most }

func (e *epsilonStop) Finish(found []Neighbor) []Neighbor {
	n := min(len(found), e.most)
	for n > 0 && found[n-1].Distance > e.epsilon {
		n--
	}
	e.begin(e.ef)
	return found[:n]
}
