package hnsw

import (
	"math"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

// Filter says which labels a search may return. It may serve many searches at once.
type Filter struct {
	allow func(label uint64) bool
	set   *roaring64.Bitmap
	dense *denseFilter // set, resolved to elements; nil unless a batch of searches did so
}

// FilterFunc allows the labels for which allow is true. allow may be called from many goroutines.
func FilterFunc(allow func(label uint64) bool) *Filter { return &Filter{allow: allow} }

// FilterBitmap allows the labels in set, which must not change while it is in use.
func FilterBitmap(set *roaring64.Bitmap) *Filter { return &Filter{allow: set.Contains, set: set} }

// FilterRange allows every step-th label from first on, up to last. It takes no memory, however
// many these are. A step of 0 is 1.
func FilterRange(first, last, step uint64) *Filter {
	step = max(step, 1)
	return FilterFunc(func(label uint64) bool {
		return label >= first && label <= last && (label-first)%step == 0
	})
}

// allowed reports whether a search may return element id.
func (g *graph) allowed(id uint32, f *Filter) bool {
	if !g.complete(id) || g.deleted.get(id) {
		return false
	}
	if f == nil {
		return true
	}
	if f.dense != nil && f.dense.covers(id) {
		return f.dense.elements.get(id)
	}
	return f.allow(g.label(id))
}

const (
	filterSample = 400 // elements asked to estimate how many a filter allows
	// walkFactor relates ef to the distances that a plain walk computes: about 9 to 20 a candidate kept, measured on
	// text embeddings and word vectors.
	walkFactor = 12
)

// exactIsCheaper estimates which is less work: to score every allowed row, or to walk until ef allowed ones are held. A
// walk that may keep one element in 1/p passes through about ef/p of them, so both are equal where p²n = walkFactor·ef.
func (r *Reader) exactIsCheaper(s *searcher, g *graph, f *Filter, ef, n int) bool {
	if n <= walkFactor*ef {
		return true
	}
	p := float64(n-r.Deleted()) / float64(n)
	switch {
	case f == nil:
	case f.dense != nil:
		p *= float64(f.dense.count) / float64(n)
	case f.set != nil:
		p *= math.Min(1, float64(f.set.GetCardinality())/float64(n))
	default:
		p = s.sampleAllowed(g, n, f)
	}
	return p*p*float64(n) <= walkFactor*float64(ef)
}

// sampleAllowed is the share of allowed elements in a sample spread over all of them.
func (s *searcher) sampleAllowed(g *graph, n int, f *Filter) float64 {
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
