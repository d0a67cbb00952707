package hnsw

import (
	"math"
	"sync/atomic"
)

// margin is how far beyond a bound the nearest open candidate of a walk must be for the walk to end.
type margin struct {
	times   float32 // the bound
	plus    float32 // the error of an estimate
	settled int     // of the nearest candidates, those that must have been expanded: the walk may yet come nearer before
}

// marginFor is measured on MiniLM-384 with 2-bit codes in 16 shards, at ef 100 and k 10: it spares 27 % of the
// distances for 0.0004 of recall. A larger ef asks for more than that loss allows, and for a wider margin. Where
// distances are estimates one may be off by as much as off; the others have 0.1 for it. With few candidates expanded
// walks in tight clusters end in the wrong one.
func marginFor(ef, k int, off float32) margin {
	times := max(1.4, 1.3+float32(ef)/float32(k)/100)
	if off > 0 {
		times -= 0.1
	}
	return margin{times, off, max(k, ef/4)}
}

// Bound is shared by the walks of one query through several graphs: the smallest distance at which one of them has its
// k-th candidate. None of the k nearest of all graphs is farther. It is safe for concurrent use.
type Bound struct {
	kth atomic.Uint32 // the upper half of a key
}

// Reset prepares the bound for another query.
func (b *Bound) Reset() { b.kth.Store(math.MaxUint32) }

// lower makes it the distance of a k-th candidate, if that is nearer, and returns what it is then.
func (b *Bound) lower(k key) uint32 {
	now := uint32(k >> 32)
	for {
		before := b.kth.Load()
		if before <= now {
			return before
		}
		if b.kth.CompareAndSwap(before, now) {
			return now
		}
	}
}

// Lower makes it a distance at which k candidates are known to be, if that is nearer.
func (b *Bound) Lower(distance float32) { b.lower(keyOf(distance, 0)) }
