package hnsw

import (
	"errors"
	"fmt"
)

// ErrBusy reports a Reorder while searches were under way.
var ErrBusy = errors.New("searches are under way")

// Reorder renumbers the elements in place, in breadth-first order from the entry point: searches find what they read next
// nearer to what they have read. It is meant for an index that has just been built. Changes wait meanwhile; searches that
// begin meanwhile get ErrClosed, and where some have begun before, Reorder does nothing and gives ErrBusy.
func (x *Index) Reorder() error {
	x.structure.Lock()
	defer x.structure.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	g, n := x.graph.Load(), x.Len()
	if g == nil {
		return ErrClosed
	}
	if x.cfg.external() {
		return fmt.Errorf("hnsw: elements can't be renumbered: %w", ErrExternal)
	}
	if x.backing != nil {
		return fmt.Errorf("hnsw: elements can't be renumbered: %w", ErrBacked)
	}
	if n == 0 {
		return nil
	}
	x.graph.Store(nil)
	defer x.graph.Store(g)
	if !g.refs.CompareAndSwap(1, 0) { // from now on nobody can take a reference
		return ErrBusy
	}
	defer g.refs.Store(1)
	entry := x.entry.Load()
	place := g.reorder(breadthFirst(x.image(g, x.lists)), x.lists)
	x.entry.Store(entry>>32<<32 | uint64(place[uint32(entry)]-1))
	x.ids, x.free = nil, freeList{}
	x.epoch.Add(2) // what was resolved to elements is out of date
	return nil
}

// reorder makes element order[i] element i and gives each element's new number + 1.
func (g *graph) reorder(order []uint32, lists int) (place []uint32) {
	place = places(order)
	for _, links := range [][]uint32{g.links0[:len(order)*g.m0], g.upper[:lists*g.m]} {
		for i, link := range links {
			if link != 0 {
				links[i] = place[link-1]
			}
		}
	}
	permute(g.links0, g.m0, order)
	permute(g.upperAt, 1, order)
	permute(g.inbound, 1, order)
	permute(g.labels, 1, order)
	permute(g.levels, 1, order)
	g.deleted.permute(order)
	g.ready.permute(order)
	permute(g.rowBytes, g.rows.Stride(), order)
	if c := g.coder.Load(); c != nil {
		permute(c.codes, c.q.Stride(), order)
	}
	return place
}

// permute moves row order[i], of so many elements, to place i, cycle by cycle.
func permute[T any](rows []T, row int, order []uint32) {
	done := make(bitmap, (len(order)+31)/32)
	first := make([]T, row)
	at := func(i uint32) []T { return rows[int(i)*row : int(i+1)*row] }
	for i := range uint32(len(order)) {
		if done.get(i) {
			continue
		}
		copy(first, at(i))
		to := i
		for {
			done.set(to)
			from := order[to]
			if from == i {
				break
			}
			copy(at(to), at(from))
			to = from
		}
		copy(at(to), first)
	}
}

func (b bitmap) permute(order []uint32) {
	old := append(bitmap(nil), b...)
	for i, from := range order {
		if old.get(from) {
			b.set(uint32(i))
		} else {
			b.clear(uint32(i))
		}
	}
}
