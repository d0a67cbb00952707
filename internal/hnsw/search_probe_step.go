package hnsw

import "math"

// A Probe's walk may be led by its caller, where links lie elsewhere than in the index: Take gives the elements that it
// expands next, and Expand takes their links.

// Walking reports whether the probe's candidates come from a walk; else they are known from the beginning.
func (p Probe) Walking() bool { return p.s.task.collector != nil }

// Take appends to dst up to n of the walk's open candidates, nearest first, which Expand is then to be called for: none
// where the walk has ended. Where Bounded is true those farther than bound stay open.
func (p Probe) Take(dst []uint32, n int, bound float32) []uint32 {
	s := p.s
	s.pool.copies, s.filtered.copies = copyFilter{}, copyFilter{} // lists lie elsewhere
	before := len(dst)
	for len(dst)-before < n {
		if p.Bounded() && s.pool.nearestOpen() > bound {
			break
		}
		id, ok := s.task.collector.next()
		if !ok {
			break
		}
		dst = append(dst, id)
	}
	s.hops += len(dst) - before
	return dst
}

// Expand lets the walk meet the neighbours of an element: ids + 1, a zero ends the list. Those that there aren't are passed
// over.
func (p Probe) Expand(links []uint32) {
	s := p.s
	s.found = len(s.visited.met)
	s.visited.addChecked(links, uint32(s.g.capacity))
	s.finish(s.task.collector)
}

// Bounded reports whether the walk keeps the nearest candidates alone, so that EstimateAt tells of them.
func (p Probe) Bounded() bool { return p.s.task.collector == collector(&p.s.pool) }

// EstimateAt is the estimated distance of the i-th nearest candidate that the walk holds, +Inf past the last.
func (p Probe) EstimateAt(i int) float32 {
	if keys := p.s.pool.keys; i < len(keys) {
		return keys[i].distance()
	}
	return float32(math.Inf(1))
}

// Returns reports whether the search may return an element.
func (p Probe) Returns(id uint32) bool { return p.s.g.allowed(id, p.s.task.filter) }

// Label is an element's label.
func (p Probe) Label(id uint32) uint64 { return p.s.g.label(id) }

// nearestOpen is the distance of the nearest candidate that hasn't been expanded, +Inf if there is none.
func (p *pool) nearestOpen() float32 {
	if i := p.openFrom(p.first); i < len(p.keys) {
		return p.keys[i].distance()
	}
	return float32(math.Inf(1))
}
