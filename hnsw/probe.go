package hnsw

import "errors"

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
// refused.
func (r *Reader) Probe(query []float32, k int, o SearchOptions) (Probe, error) {
	if o.Stop != nil {
		return Probe{}, errors.New("hnsw: a stop condition can't serve a probe")
	}
	s, err := r.prepared(query, k, &o, true)
	if err != nil {
		return Probe{}, err
	}
	return Probe{r, s}, nil
}

// WalkProbes finds the candidates of probes, which may be of different graphs. It walks two in turn, as a batch does.
func WalkProbes(probes []Probe) {
	var under [lanes]*searcher
	for busy := true; busy; {
		busy = false
		for i, s := range under {
			for s == nil && len(probes) > 0 {
				if s = probes[0].s; s.task.collector == nil {
					s = nil // its candidates are known
				}
				probes = probes[1:]
			}
			if under[i] = s; s == nil {
				continue
			}
			busy = true
			if !s.step(s.task.collector) {
				s.task.keys = s.walked()
				under[i] = nil
			}
		}
	}
}

// Each gives the first n candidates, nearest first by their estimates.
func (p Probe) Each(n int, f func(Candidate)) {
	s := p.s
	estimated := s.coder != nil && (s.scorer != s.rows || !s.keepsRows())
	for _, k := range s.task.keys[:min(n, len(s.task.keys))] {
		c := Candidate{Label: s.g.label(k.id()), Distance: k.distance(), ID: k.id(), Exact: !estimated}
		if estimated {
			c.Off = s.codes.Bound(k.id(), k.distance())
		}
		f(c)
	}
}

// Final reports whether the distances of candidates are those that are told: there are no rows to rank them by.
func (p Probe) Final() bool { return !p.s.keepsRows() }

// Score writes the distances of elements to out, by their rows where the index keeps them.
func (p Probe) Score(ids []uint32, out []float32) {
	p.s.reranked += len(ids)
	p.s.rows.Score(ids, out)
}

// Stats says what the probe did so far.
func (p Probe) Stats() SearchStats { return p.s.stats() }

// Close ends the probe.
func (p Probe) Close() { p.r.end(p.s) }
