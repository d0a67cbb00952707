package hnsw

import (
	"math"

	"github.com/shale-search/shale/internal/labelset"
	"github.com/shale-search/shale/search"
)

// filter is a search.Filter as a search asks it.
type filter struct {
	labels   *labelset.Set
	elements *denseFilter // labels, resolved to elements; nil: they are not
}

// allowed reports whether a search may return element id.
func (g *graph) allowed(id uint32, f *filter) bool {
	if !g.complete(id) || g.deleted.get(id) {
		return false
	}
	if f == nil {
		return true
	}
	if f.elements != nil && f.elements.covers(id) {
		return f.elements.allowed.get(id)
	}
	return f.labels.Contains(g.label(id))
}

const (
	filterSample = 400 // elements asked to estimate how many a filter allows
	// walkFactor relates ef to the distances that a plain walk computes: about 9 to 20 a candidate kept, measured on
	// text embeddings and word vectors.
	walkFactor = 12
)

// exactIsCheaper estimates which is less work: to score every allowed row, or to walk until ef allowed ones are held. A
// walk that may keep one element in 1/p passes through about ef/p of them, so both are equal where p²n = walkFactor·ef.
func (r *Reader) exactIsCheaper(s *searcher, g *graph, f *filter, ef, n int) bool {
	if n <= walkFactor*ef {
		return true
	}
	p := float64(n-r.Deleted()) / float64(n)
	count, counted := uint64(0), false
	if f != nil {
		count, counted = f.labels.Count()
	}
	switch {
	case f == nil:
	case f.elements != nil:
		p *= float64(f.elements.count) / float64(n)
	case counted:
		p *= math.Min(1, float64(count)/float64(n))
	default:
		p = s.sampleAllowed(g, n, f)
	}
	return p*p*float64(n) <= walkFactor*float64(ef)
}

// sampleAllowed returns the share of allowed elements in a sample spread over all of them.
func (s *searcher) sampleAllowed(g *graph, n int, f *filter) float64 {
	hits, asked := 0, min(n, filterSample)
	for i := range asked {
		// the golden ratio's multiples spread evenly, whatever period the labels have
		at := uint64(i) * 0x9e3779b97f4a7c15
		if id := uint32(mulHigh(at, uint64(n))); g.allowed(id, f) {
			hits++
		}
	}
	return (float64(hits) + 0.5) / float64(asked+1)
}

// denseFilter is a filter's set resolved to element numbers. It holds while no label moves to another element, which
// the epoch tells; later elements are asked for by label.
type denseFilter struct {
	allowed bitmap
	count   int    // elements allowed
	epoch   uint64 // when it was resolved
}

func (d *denseFilter) covers(id uint32) bool { return int(id>>5) < len(d.allowed) }

// at returns d if it holds for a search that begins at epoch, and nil otherwise.
func (d *denseFilter) at(epoch uint64) *denseFilter {
	if d == nil || d.epoch != epoch {
		return nil
	}
	return d
}

// resolved returns f's set resolved to elements, or nil if it has none or a row is rewritten meanwhile.
func (r *Reader) resolved(f *search.Filter) (*denseFilter, error) {
	if f == nil {
		return nil, nil
	}
	d, set := &denseFilter{epoch: r.epoch.Load()}, (*labelset.Set)(f).Bitmap()
	if set == nil {
		return nil, nil
	}
	words := r.Len() / 32
	g, err := r.view()
	if err != nil {
		return nil, err
	}
	defer g.release()
	d.allowed = make(bitmap, min(words, len(g.ready)))
	for id := range uint32(len(d.allowed) * 32) {
		if set.Contains(g.label(id)) {
			d.allowed[id>>5] |= 1 << (id & 31)
			d.count++
		}
	}
	if d.epoch&1 != 0 || r.epoch.Load() != d.epoch {
		return nil, nil
	}
	return d, nil
}
