package hnsw

import (
	"bytes"
	"math"
	"slices"
)

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

// Expand lets the walk meet the neighbours of element id: ids + 1, a zero ends the list. Ids of no element are passed over.
//
// Neighbours with the code of id may be copies of it, which only their own links show. They don't take places among the
// walk's candidates but are appended to alike: the caller reads their links and passes them to Chain.
func (p Probe) Expand(id uint32, links, alike []uint32) []uint32 {
	s := p.s
	found := len(s.visited.met)
	s.visited.addChecked(links, uint32(s.g.capacity))
	met := s.visited.met[found:]
	s.score(met)
	n := 0
	s.ids = s.ids[:0]
	for i, other := range met {
		if s.coder != nil && s.sameCode(id, other) {
			alike = append(alike, other)
			continue
		}
		s.ids = append(s.ids, other)
		s.dist[n] = s.dist[i]
		n++
	}
	s.task.collector.offer(s.ids, s.dist)
	return alike
}

// Chain reports whether element id, which Expand found alike, is a copy by its links. If it is, Chain appends to next the
// copies that follow it in its chain: they have its row. If not, the caller expands it.
func (p Probe) Chain(id uint32, links, next []uint32) ([]uint32, bool) {
	s := p.s
	n := slices.Index(links, 0)
	if n < 1 || n > mostCopyLinks {
		return next, false
	}
	for _, link := range links[:n] {
		if int64(link) > int64(s.g.capacity) || !s.sameCode(id, link-1) {
			return next, false
		}
	}
	if !s.visited.has(links[0] - 1) { // no leader by which it was met
		return next, false
	}
	for _, link := range links[1:n] {
		if s.visited.add(link - 1) {
			next = append(next, link-1)
		}
	}
	return next, true
}

func (s *searcher) sameCode(a, b uint32) bool { return bytes.Equal(s.coder.row(a), s.coder.row(b)) }

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
