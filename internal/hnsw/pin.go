package hnsw

import (
	"unsafe"

	"github.com/shale-search/shale/internal/mmap"
)

// pinStep is the number of bytes that are read ahead of the copying.
const pinStep = 4 << 20

// Pin copies what walks read of a mapped file into memory: links, which it packs, labels and codes, not rows. Close
// frees the copies. Searches under way go on; marks of deleted elements must not change meanwhile. If the graph isn't in
// a mapped file, or is pinned, Pin does nothing.
func (r *Reader) Pin() (err error) {
	if need, err := r.PinBytes(); need == 0 || err != nil {
		return err
	}
	defer mmap.Catch(mmap.Guard(), &err)
	return r.replace((*graph).pin)
}

// PinBytes returns the bytes of memory that Pin takes; 0 if it does nothing.
func (r *Reader) PinBytes() (bytes int64, err error) {
	err = r.readGraph(func(g *graph, n int) error {
		if n == 0 || !g.mapped || g.pinned || g.journal != nil { // a live graph changes in its file
			return nil
		}
		links := newPacked(n, g.m0)
		bytes = int64(links.bytes(n)) + sizeOf(g.upper) + sizeOf(g.upperAt) + sizeOf(g.levels) + sizeOf(g.labels) +
			sizeOf([]uint32(g.deleted))
		if c := g.coder.Load(); c != nil && !c.outside {
			bytes += sizeOf(c.codes)
		}
		return nil
	})
	return bytes, err
}

// pin returns a graph with copies of the arrays, which takes over the reference that the index holds to g.
func (g *graph) pin() (*graph, error) {
	n := g.with(g.rows, true)
	n.pinned = true // and mapped: what is damaged in the file is damaged in the copies
	readAheadOf(g.links0)
	var err error
	n.packed, err = n.packLinks(g.links0, g.capacity)
	n.links0 = nil
	n.upper = copyOf(n, g.upper, &err)
	n.upperAt = copyOf(n, g.upperAt, &err)
	n.levels = copyOf(n, g.levels, &err)
	n.labels = copyOf(n, g.labels, &err)
	n.deleted = copyOf(n, []uint32(g.deleted), &err)
	if c := g.coder.Load(); c != nil && !c.outside {
		n.coder.Store(&coder{q: c.q, codes: copyOf(n, c.codes, &err), order: c.order})
	}
	if err != nil {
		n.base = nil
		n.free()
		return nil, err
	}
	return n, nil
}

// copyOf returns a copy of s in memory of g, unless an earlier call failed.
func copyOf[T uint8 | uint32 | uint64](g *graph, s []T, err *error) []T {
	to := alloc[T](g, len(s), 1, err)
	if *err != nil {
		return nil
	}
	step := pinStep / int(unsafe.Sizeof(*new(T)))
	for first := 0; first < len(s); first += step {
		some := s[first:min(first+step, len(s))]
		readAheadOf(some)
		copy(to[first:], some)
	}
	return to
}

func sizeOf[T uint8 | uint32 | uint64](s []T) int64 {
	return int64(len(s)) * int64(unsafe.Sizeof(*new(T)))
}
