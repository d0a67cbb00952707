package hnsw

import (
	"errors"
	"fmt"
)

// ErrBusy reports a Reorder while searches were under way.
var ErrBusy = errors.New("searches are under way")

// Reorder renumbers the elements in place, in breadth-first order from the entry point, so that what a search reads
// next is near what it has read. Call it on an index that has just been built. Changes wait meanwhile, and searches
// that begin meanwhile return ErrClosed. If searches are under way, Reorder does nothing and returns ErrBusy.
func (x *Index) Reorder() error {
	x.structure.Lock()
	defer x.structure.Unlock()
	if err := x.connectLocked(true); err != nil {
		return err
	}
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
	m := x.image(g, x.lists)
	order := breadthFirst(m)
	m.Renumber(order)
	x.entry.Store(uint64(m.TopLevel)<<32 | uint64(m.Entry))
	permute(g.inbound, 1, order)
	g.ready.permute(order)
	permute(g.rowBytes, g.rows.Stride(), order)
	x.ids, x.free = nil, freeList{}
	x.groups.forget()
	x.epoch.Add(2) // what was resolved to elements is out of date
	return nil
}

// Renumber makes element order[i] element i, in place, in all arrays but Rows.
func (m *Image) Renumber(order []uint32) {
	if len(order) == 0 {
		return
	}
	place := places(order)
	for _, links := range [][]uint32{m.Links0, m.Upper} {
		for i, link := range links {
			if link != 0 {
				links[i] = place[link-1]
			}
		}
	}
	permute(m.Links0, 2*m.Config.M, order)
	permute(m.UpperAt, 1, order)
	permute(m.Labels, 1, order)
	permute(m.Levels, 1, order)
	permute(m.Codes, len(m.Codes)/m.Count, order)
	bitmap(m.Deleted).permute(order)
	m.Entry = place[m.Entry] - 1
}

// permute moves row order[i] to place i, cycle by cycle.
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
