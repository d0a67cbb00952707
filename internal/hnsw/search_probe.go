package hnsw

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"slices"

	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/search"
)

// Candidate is an element that a walk has found.
type Candidate struct {
	Label    uint64
	Distance float32 // an estimate, where walks read codes
	Off      float32 // how far the estimate may be off
	ID       uint32
	Exact    bool // Distance is no estimate
}

// Probe is a search whose candidates the caller ranks: those of several graphs together, or by rows outside the index.
// It holds the index's arrays until Close. The index must not change meanwhile.
type Probe struct {
	r *Reader
	s *searcher
}

// Probe begins a search for the k nearest to query that keeps max(Ef, k) candidates, which WalkProbes finds. A Stop is
// refused. A plain walk with distances of at least 0 ends early by what those that share b have found; b may be nil.
func (r *Reader) Probe(query []float32, k int, o search.Options, b *Bound) (Probe, error) {
	if o.Stop != nil {
		return Probe{}, errors.New("hnsw: a stop condition can't serve a probe")
	}
	s, err := r.prepared(query, k, &task{o: o, probe: true})
	if err != nil {
		return Probe{}, err
	}
	// with fewer than k elements there is no k-th
	if b != nil && s.task.collector == &s.pool && s.task.k == k && r.cfg.scalable() {
		off := float32(0)
		if s.estimates() {
			off = s.codes.Bound(s.pool.keys[0].id(), s.pool.keys[0].distance())
		}
		s.pool.bound, s.pool.k, s.pool.margin = b, k, marginFor(cmp.Or(o.Ef, request.DefaultEf), k, off)
	}
	return Probe{r, s}, nil
}

// WalkProbes finds the candidates of the probes that next gives until it reports false, which may be of different
// graphs. It walks two in turn, as a batch does.
func WalkProbes(next func() (Probe, bool)) {
	var under [interleave]*searcher
	for more, busy := true, true; busy; {
		busy = false
		for i, s := range under {
			for s == nil && more {
				var p Probe
				if p, more = next(); more && p.s.task.collector != nil { // else its candidates are known
					s = p.s
				}
			}
			if under[i] = s; s == nil {
				continue
			}
			busy = true
			if !s.step(s.task.collector) {
				if s.task.keys = s.walked(); len(s.copies.held) > 0 {
					s.task.keys = s.spread(s.task.keys)
				}
				under[i] = nil
			}
		}
	}
}

// estimates reports whether the distances that the walk meets are estimates.
func (s *searcher) estimates() bool { return s.coder != nil && (s.scorer != s.rows || !s.keepsRows()) }

// At returns the i-th candidate, nearest first by their estimates. It reports false where there are no more.
func (p Probe) At(i int) (c Candidate, ok bool) {
	s := p.s
	if i >= len(s.task.keys) {
		return c, false
	}
	k := s.task.keys[i]
	c = Candidate{Label: s.g.label(k.id()), Distance: k.distance(), ID: k.id(), Exact: !s.estimates()}
	if !c.Exact {
		c.Off = s.codes.Bound(k.id(), k.distance())
	}
	return c, true
}

// Final reports whether the search returns the distances of the candidates as they are, since there are no rows to rank
// them by.
func (p Probe) Final() bool { return !p.s.keepsRows() }

// Score writes the distances of elements to out, by their rows where the index keeps them.
func (p Probe) Score(ids []uint32, out []float32) {
	p.s.reranked += len(ids)
	p.s.rows.Score(ids, out)
}

// Stats says what the probe did so far.
func (p Probe) Stats() search.Stats { return p.s.stats() }

// Close ends the probe.
func (p Probe) Close() { p.r.end(p.s) }

// If links are outside the index, the caller leads a Probe's walk: Take returns the elements to expand next, and Expand
// takes their links.

// Walking reports whether the probe's candidates come from a walk; else they are known from the beginning.
func (p Probe) Walking() bool { return p.s.task.collector != nil }

// Take appends to dst up to n of the walk's open candidates, nearest first; none at the end of the walk. The caller
// then calls Expand for each. If Bounded is true, candidates farther than bound stay open.
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

// Expand lets the walk meet the neighbours of element id: ids + 1, a zero ends the list. Ids of no element are passed
// over.
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

// Chain reports whether element id, which Expand found alike, is a copy by its links. If it is, Chain appends to next
// the copies that follow it in its chain: they have its row. If not, the caller expands it.
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

// Bounded reports whether the walk keeps only its nearest candidates, so that EstimateAt returns their distances.
func (p Probe) Bounded() bool { return p.s.task.collector == collector(&p.s.pool) }

// EstimateAt returns the estimated distance of the i-th nearest candidate that the walk holds, +Inf past the last.
func (p Probe) EstimateAt(i int) float32 {
	if keys := p.s.pool.keys; i < len(keys) {
		return keys[i].distance()
	}
	return float32(math.Inf(1))
}

// Returns reports whether the search may return an element.
func (p Probe) Returns(id uint32) bool { return p.s.g.allowed(id, p.s.task.filter) }

// Label returns an element's label.
func (p Probe) Label(id uint32) uint64 { return p.s.g.label(id) }

// nearestOpen returns the distance of the nearest candidate that hasn't been expanded, +Inf if there is none.
func (p *pool) nearestOpen() float32 {
	if i := p.openFrom(p.first); i < len(p.keys) {
		return p.keys[i].distance()
	}
	return float32(math.Inf(1))
}
