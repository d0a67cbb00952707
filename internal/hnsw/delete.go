package hnsw

import (
	"fmt"

	"github.com/shale-search/shale/internal/mmap"
)

// Delete marks label deleted: searches no longer return it, but still pass through it.
func (x *Index) Delete(label uint64) error {
	return x.mark(label, func(g *graph, id uint32) error {
		if err := CheckMark(label, g.deleted.get(id), true); err != nil {
			return err
		}
		g.deleted.set(id)
		x.removed.Add(1)
		if x.replacing {
			x.free.add(id)
		}
		return nil
	})
}

// Undelete takes the mark back.
func (x *Index) Undelete(label uint64) error {
	return x.mark(label, func(g *graph, id uint32) error {
		if err := CheckMark(label, g.deleted.get(id), false); err != nil {
			return err
		}
		g.deleted.clear(id)
		x.removed.Add(-1)
		x.free.remove(id)
		return nil
	})
}

// mark runs change on label's element while nothing else changes that label.
func (x *Index) mark(label uint64, change func(*graph, uint32) error) (err error) {
	if x.backing != nil {
		defer x.noteFault(&err)
		defer mmap.Catch(mmap.Guard(), &err)
	}
	lock := x.lockLabel(label)
	defer lock.Unlock()
	x.structure.RLock()
	defer x.structure.RUnlock()
	g := x.graph.Load()
	if g == nil {
		return ErrClosed
	}
	x.mu.Lock() // so that nobody takes over the slot meanwhile
	defer x.mu.Unlock()
	if err := x.broken(); err != nil {
		return err
	}
	x.openBooks(g)
	id, ok := x.ids[label]
	if !ok || !g.ready.get(id) {
		return fmt.Errorf("%w: %d", ErrLabel, label)
	}
	if err := x.beginChange(); err != nil {
		return err
	}
	return change(g, id)
}
