package hnsw

import (
	"unsafe"

	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/vector"
)

// pinStep is the number of bytes that are read ahead of the copying.
const pinStep = 4 << 20

// Pin copies what walks read of a mapped file into memory: links, which it packs, labels and codes, not rows. Close
// frees the copies. Searches under way go on; marks of deleted elements must not change meanwhile. If the graph isn't
// in a mapped file, or is pinned, Pin does nothing.
func (r *Reader) Pin() error { return r.keep(false) }

// PinAll is like Pin, and copies the rows too.
func (r *Reader) PinAll() error { return r.keep(true) }

func (r *Reader) keep(rows bool) (err error) {
	if need, err := r.PinBytes(); need == 0 || err != nil {
		return err
	}
	for done := false; !done && err == nil; { // else the graph was replaced meanwhile
		done, err = r.pin(rows)
	}
	return err
}

// pin puts a graph with copies of the arrays in the place of the present one, and reports whether that was still there.
func (r *Reader) pin(rows bool) (done bool, err error) {
	defer mmap.Catch(mmap.Guard(), &err)
	g, err := r.view()
	if err != nil {
		return false, err
	}
	defer g.release()
	n := g.with(g.rows, true)
	n.pinned = true // and mapped: what is damaged in the file is damaged in the copies
	defer func() {
		if !done {
			n.base = nil
			n.free()
		}
	}()
	err = n.copyFrom(g)
	if rows && err == nil {
		n.rows, err = n.copyRows(g.rows)
	}
	if err != nil {
		return false, err
	}
	return r.graph.CompareAndSwap(g, n), nil
}

// PinAllBytes returns the bytes of memory that PinAll takes; 0 if it does nothing.
func (r *Reader) PinAllBytes() (bytes int64, err error) {
	if bytes, err = r.PinBytes(); bytes == 0 || err != nil {
		return 0, err
	}
	err = r.readGraph(func(g *graph, _ int) error {
		bytes += int64(g.rows.Rows()) * int64(g.rows.Stride())
		return nil
	})
	return bytes, err
}

// PinBytes returns the bytes of memory that Pin takes; 0 if it does nothing.
func (r *Reader) PinBytes() (bytes int64, err error) {
	err = r.readGraph(func(g *graph, n int) error {
		if n == 0 || !g.checked || g.pinned || g.journal != nil { // a live graph changes in its file
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

// copyFrom copies the arrays of another graph.
func (g *graph) copyFrom(from *graph) (err error) {
	readAheadOf(from.links0)
	g.links0 = nil
	g.packed, err = g.packLinks(from.links0, from.capacity)
	g.upper = copyOf(g, from.upper, &err)
	g.upperAt = copyOf(g, from.upperAt, &err)
	g.levels = copyOf(g, from.levels, &err)
	g.labels = copyOf(g, from.labels, &err)
	g.deleted = copyOf(g, []uint32(from.deleted), &err)
	if c := from.coder.Load(); c != nil && !c.outside {
		g.coder.Store(&coder{q: c.q, codes: copyOf(g, c.codes, &err), order: c.order})
	}
	return err
}

// copyRows returns a copy of rows in memory of g.
func (g *graph) copyRows(rows vector.Matrix) (vector.Matrix, error) {
	var err error
	stride := rows.Stride()
	to := alloc[uint8](g, rows.Rows(), stride, &err)
	if err != nil {
		return rows, err
	}
	for i := range rows.Rows() {
		copy(to[i*stride:], rows.RowBytes(i))
	}
	return vector.FromBytes(to, rows.Type(), rows.Rows(), rows.Dim(), stride)
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
