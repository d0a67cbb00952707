package shard

import (
	"math"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/search"
)

const (
	// firstRows is the number of rows to score at first, which rule out most others; batchRows is the number of rows to
	// score at a time after that.
	firstRows = 16
	batchRows = 64
)

// candidate is an element that the walk of a probe has found.
type candidate struct {
	hnsw.Candidate
	probe uint32 // number of the probe
	alike bool   // it may be a copy of an element that the walk has expanded: see blockWalk
}

// before orders candidates by estimate, ties by label.
func (c *candidate) before(o *candidate) bool {
	return c.Distance < o.Distance || c.Distance == o.Distance && c.Label < o.Label
}

// candidates holds the elements that the walks of several shards have found, and the k nearest of the scored rows.
type candidates struct {
	heads  []head            // one for each probe with candidates left: a heap, the nearest estimate first
	found  []search.Neighbor // exact, nearest first, ties by smaller label
	k      int
	within float32 // candidates that are farther aren't wanted; see SearchWithin
	left   int     // rows that may still be scored; below 0, the error bounds of estimates decide
	copies bool    // a row may lie in several shards
	widest float32 // the largest error bound so far
	step   int     // rows to score at a time
	begun  bool
}

// reset removes all candidates. rerank is search.Options.Rerank.
func (c *candidates) reset(k, rerank int, copies bool, within float32) {
	*c = candidates{heads: c.heads[:0], found: c.found[:0], k: k, within: within, left: -1, copies: copies,
		step: batchRows}
	if rerank > 0 {
		c.left = max(rerank, k)
	}
}

// head is the nearest candidate of a probe that next hasn't returned yet. The heap holds heads only, because a search
// needs few of the hundreds of candidates of a probe, and their other fields are far apart in memory.
type head struct {
	candidate
	from  hnsw.Probe
	at    int  // index among the probe's candidates
	final bool // the search returns their distances as they are
}

// add adds the candidates of a probe. final says that their distances are those that the search returns.
func (c *candidates) add(p hnsw.Probe, number uint32, final bool) {
	first, ok := p.At(0)
	if !ok {
		return
	}
	first.Exact = first.Exact || final
	c.heads = append(c.heads, head{candidate{first, number, false}, p, 0, final})
	for i := len(c.heads) - 1; i > 0 && c.heads[i].before(&c.heads[(i-1)/2].candidate); i = (i - 1) / 2 {
		c.heads[i], c.heads[(i-1)/2] = c.heads[(i-1)/2], c.heads[i]
	}
}

// pass moves on to the next candidate.
func (c *candidates) pass() {
	top, ok := &c.heads[0], false
	top.at++
	top.Candidate, ok = top.from.At(top.at)
	top.Exact = top.Exact || top.final
	if last := len(c.heads) - 1; !ok {
		c.heads[0] = c.heads[last]
		c.heads = c.heads[:last]
	}
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(c.heads) {
			return
		}
		if child+1 < len(c.heads) && c.heads[child+1].before(&c.heads[child].candidate) {
			child++
		}
		if !c.heads[child].before(&c.heads[i].candidate) {
			return
		}
		c.heads[i], c.heads[child] = c.heads[child], c.heads[i]
		i = child
	}
}

// next appends to dst the candidates whose rows to score next, the nearest estimate first. It appends none once the
// error bounds of estimates rule out that a remaining candidate is among the k nearest.
func (c *candidates) next(dst []candidate) []candidate {
	most := c.step
	switch {
	case c.left > 0: // bounds rule out none, so more can be scored at once
		most = min(c.left, batchRows)
	case !c.begun:
		most = max(firstRows, min(c.k, batchRows))
	}
	c.begun = true
	for len(c.heads) > 0 && len(dst) < most && c.left != 0 {
		now := c.heads[0].candidate
		if kth := c.kth(); c.left < 0 && kth < math.MaxFloat32 {
			c.widest = max(c.widest, now.Off)
			if now.Distance-c.widest > kth {
				c.heads = c.heads[:0]
				break
			}
			if now.Distance-now.Off > kth {
				c.pass()
				continue
			}
		}
		c.pass()
		switch {
		case c.copies && c.known(now.Label, dst):
		case now.Exact:
			c.offer(now.Label, now.Distance)
		default:
			dst = append(dst, now)
			c.left = max(c.left-1, min(c.left, 0))
		}
	}
	return dst
}

// kth returns the distance beyond which a candidate isn't wanted; +Inf: all are.
func (c *candidates) kth() float32 {
	if len(c.found) < c.k {
		return c.within
	}
	return min(c.within, c.found[c.k-1].Distance)
}

// known reports whether another copy of a row is in found or in batch. If a copy was scored but was too far away to
// stay in found, the row is scored again, to no effect.
func (c *candidates) known(label uint64, batch []candidate) bool {
	for i := range batch {
		if batch[i].Label == label {
			return true
		}
	}
	for i := range c.found {
		if c.found[i].Label == label {
			return true
		}
	}
	return false
}

// offer adds a row at its exact distance to found if it is one of the k nearest.
func (c *candidates) offer(label uint64, distance float32) {
	at := len(c.found)
	for at > 0 && (distance < c.found[at-1].Distance || distance == c.found[at-1].Distance &&
		label < c.found[at-1].Label) {
		at--
	}
	if at == c.k {
		return
	}
	if len(c.found) < c.k {
		c.found = append(c.found, search.Neighbor{})
	}
	copy(c.found[at+1:], c.found[at:])
	c.found[at] = search.Neighbor{Label: label, Distance: distance}
}
