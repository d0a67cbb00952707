package hnsw

import (
	"cmp"
	"errors"

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

// Probe is a search whose candidates the caller ranks: those of several graphs together, or by rows that lie elsewhere.
// It holds the index's arrays until Close. It is for an index that doesn't change meanwhile.
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
	if b != nil && s.task.collector == &s.pool && s.task.k == k && r.cfg.scalable() { // with fewer than k elements there is no k-th
		off := float32(0)
		if s.estimates() {
			off = s.codes.Bound(s.pool.keys[0].id(), s.pool.keys[0].distance())
		}
		s.pool.bound, s.pool.k, s.pool.margin = b, k, marginFor(cmp.Or(o.Ef, search.DefaultEf), k, off)
	}
	return Probe{r, s}, nil
}

// WalkProbes finds the candidates of the probes that next gives until it reports false, which may be of different graphs. It
// walks two in turn, as a batch does.
func WalkProbes(next func() (Probe, bool)) {
	var under [lanes]*searcher
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

// At gives the i-th candidate, nearest first by their estimates. It reports false where there are no more.
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

// Final reports whether the distances of candidates are those that are told: there are no rows to rank them by.
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
