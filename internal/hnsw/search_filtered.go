package hnsw

import (
	"math"
	"math/bits"
	"slices"

	"github.com/shale-search/shale/internal/heap"
	"github.com/shale-search/shale/internal/stop"
	"github.com/shale-search/shale/search"
)

func mulHigh(a, b uint64) uint64 {
	hi, _ := bits.Mul64(a, b)
	return hi
}

// filtered is the collector of walks whose results are not simply their nearest candidates: those with a filter,
// deleted elements or a stop condition. The walk goes through every element; only allowed ones become results.
type filtered struct {
	g      *graph
	filter *filter
	stop   stop.Condition
	ef     int
	open   heap.Heap[key] // nearest first: keys
	kept   heap.Heap[key] // farthest first: complements of keys
	worst  float32

	copies copyFilter
}

func (f *filtered) reset(g *graph, ef int, filter *filter, until *search.Stop) {
	f.g, f.ef, f.filter, f.stop = g, ef, filter, nil
	if until != nil {
		f.stop = (*stop.Rule)(until).Condition()
	}
	f.open, f.kept = f.open[:0], f.kept[:0]
	f.worst = float32(math.Inf(1))
	f.copies = copyFilter{}
}

// forget drops what belongs to the caller.
func (f *filtered) forget() { f.filter, f.stop = nil, nil }

func (f *filtered) next() (uint32, bool) {
	if len(f.open) == 0 {
		return 0, false
	}
	nearest := f.open[0].distance()
	if f.stop != nil {
		if f.stop.Stop(nearest, f.worst) {
			return 0, false
		}
	} else if nearest > f.worst && len(f.kept) == f.ef {
		return 0, false
	}
	k := f.open.Pop()
	f.copies.expand(k)
	return k.id(), true
}

// peek appends the first n of the heap, which are about the nearest.
func (f *filtered) peek(dst []uint32, n int) []uint32 {
	for _, k := range f.open[:min(n, len(f.open))] {
		dst = append(dst, k.id())
	}
	return dst
}

func (f *filtered) offer(ids []uint32, dist []float32) {
	for i, id := range ids {
		if !f.considers(dist[i]) {
			continue
		}
		k := keyOf(dist[i], id)
		if !f.copies.holdOne(k) {
			f.take(k)
		}
	}
}

func (f *filtered) considers(d float32) bool {
	if f.stop != nil {
		return f.stop.Consider(d, f.worst)
	}
	return len(f.kept) < f.ef || d < f.worst
}

func (f *filtered) take(k key) {
	f.open.Push(k)
	if !f.g.allowed(k.id(), f.filter) {
		return
	}
	f.kept.Push(^k)
	if f.stop != nil {
		f.stop.Add(f.g.label(k.id()), k.distance())
	}
	for f.overfull() {
		out := ^f.kept.Pop()
		if f.stop != nil {
			f.stop.Remove(f.g.label(out.id()), out.distance())
		}
	}
	f.worst = float32(math.Inf(1))
	if len(f.kept) > 0 {
		f.worst = (^f.kept[0]).distance()
	}
}

func (f *filtered) overfull() bool {
	if f.stop != nil {
		return len(f.kept) > 0 && f.stop.Overfull()
	}
	return len(f.kept) > f.ef
}

// sorted returns the results, nearest first.
func (f *filtered) sorted() []key {
	for i, k := range f.kept {
		f.kept[i] = ^k
	}
	slices.Sort(f.kept)
	return f.kept
}

// finish returns those of the results found, nearest first, that a search with a stop condition returns.
func finish(c stop.Condition, found []search.Neighbor) []search.Neighbor {
	c.Finish()
	return slices.DeleteFunc(found, func(n search.Neighbor) bool { return !c.Keeps(n.Label, n.Distance) })
}
