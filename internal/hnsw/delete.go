package hnsw

import (
	"fmt"

	"github.com/shale-search/shale/internal/mmap"
)

// Delete marks label as deleted: searches no longer return it, but still pass through its element.
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

// Undelete removes the mark of Delete.
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
	return x.withLabel(label, func(g *graph) error {
		x.mu.Lock() // so that nobody takes over the slot meanwhile
		defer x.mu.Unlock()
		if err := x.broken(); err != nil {
			return err
		}
		x.buildLabelMap(g)
		id, ok := x.ids[label]
		if !ok || !g.ready.get(id) {
			return fmt.Errorf("%w: %d", ErrLabel, label)
		}
		if err := x.beginChange(); err != nil {
			return err
		}
		return change(g, id)
	})
}

// withLabel calls use with the current graph. Meanwhile nothing else changes that label, and the graph stays current.
func (x *Index) withLabel(label uint64, use func(g *graph) error) error {
	lock := x.lockLabel(label)
	defer lock.Unlock()
	x.structure.RLock()
	defer x.structure.RUnlock()
	g := x.graph.Load()
	if g == nil {
		return ErrClosed
	}
	return use(g)
}

// freeList holds the deleted elements whose slots may be taken over, the latest last. Each stands on it once.
type freeList struct {
	ids []uint32
	at  map[uint32]int // where an element stands in ids
}

func (f *freeList) add(id uint32) {
	if f.at == nil {
		f.at = make(map[uint32]int)
	}
	f.at[id] = len(f.ids)
	f.ids = append(f.ids, id)
}

// remove takes id off the list, if it is on it.
func (f *freeList) remove(id uint32) {
	i, ok := f.at[id]
	if !ok {
		return
	}
	last := len(f.ids) - 1
	f.ids[i] = f.ids[last]
	f.at[f.ids[i]] = i
	f.ids = f.ids[:last]
	delete(f.at, id)
}

// take takes the latest element off the list.
func (f *freeList) take() (uint32, bool) {
	if len(f.ids) == 0 {
		return 0, false
	}
	id := f.ids[len(f.ids)-1]
	f.remove(id)
	return id, true
}
