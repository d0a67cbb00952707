package hnsw

import (
	"slices"
	"sync/atomic"
)

// update replaces the vector, and where it changed the label, of an element that is in the graph, brings it back if it
// was deleted, and repairs the links around it on each of its levels, as hnswlib's updatePoint does. The caller holds
// the label's lock; own is the searcher's query.
func (x *Index) update(s *searcher, at slot, own []float32) {
	if at.g.updating != nil {
		at.g.updating.set(at.id)
		defer at.g.updating.clear(at.id)
	}
	x.rewrite(s, at, own)
	x.moveLinks(s, at)
}

// moveLinks repairs the links around an element whose row has changed.
func (x *Index) moveLinks(s *searcher, at slot) {
	level, entry := int(at.g.levels[at.id]), x.entry.Load()
	for l := 0; l <= level; l++ {
		x.repairAround(s, at.g, at.id, l)
	}
	x.choose(s, at.g, at.id, min(level, int(entry>>32)), entry)
	for l, ids := range s.insert.chosen {
		if len(ids) == 0 { // nothing else was met: the links that are there stay
			s.insert.chosen[l] = at.g.neighbours(at.g.list(at.id, l), ids)
		}
	}
	x.connect(s, at.g, at.id, s.insert.chosen)
}

// rewrite stores the row, label and mark as one change: searches that overlap it look again.
func (x *Index) rewrite(s *searcher, at slot, own []float32) {
	x.rowLock.Lock()
	defer x.rowLock.Unlock()
	x.epoch.Add(1)
	defer x.epoch.Add(1)
	at.g.journal.begin(at.id, at.label, own)
	s.encode(at, own)
	at.g.setLabel(at.id, at.label)
	if at.g.deleted.get(at.id) {
		at.g.deleted.clear(at.id)
		x.removed.Add(-1)
	}
	at.g.journal.end()
}

// repairAround mends the links of the elements around id on level, now that id is to move elsewhere: each that links to id
// gets another link in its place, from their common neighbourhood.
//
// hnswlib chooses the whole list of each anew; the heuristic then drops links that were no worse than before, and a graph
// that sees many updates thins out.
func (x *Index) repairAround(s *searcher, g *graph, id uint32, level int) {
	near := g.neighbours(g.list(id, level), nil)
	if len(near) == 0 {
		return
	}
	around := slices.Clone(near)
	for _, n := range near {
		around = g.neighbours(g.list(n, level), around)
	}
	slices.Sort(around)
	around = slices.Compact(around)
	for _, n := range around {
		if n != id && links(g.list(n, level), id) {
			x.relink(s, g, n, id, level, around)
		}
	}
}

// links reports whether a list has a link to id.
func links(list []uint32, id uint32) bool {
	for i := range list {
		switch atomic.LoadUint32(&list[i]) {
		case id + 1:
			return true
		case 0:
			return false
		}
	}
	return false
}

// relink replaces element n's link to gone, if it has one, by the nearest of the candidates around that are not nearer to
// a neighbour of n than to n.
func (x *Index) relink(s *searcher, g *graph, n, gone uint32, level int, around []uint32) {
	in, list := &s.insert, g.list(n, level)
	lock := x.lockNode(n)
	defer lock.Unlock()
	kept := g.neighbours(list, in.kept[:0])
	in.kept = kept
	degree := len(kept)
	i := slices.Index(kept, gone)
	if i < 0 {
		return
	}
	kept = slices.Delete(kept, i, i+1)
	in.list = in.list[:0]
	for _, id := range around {
		if id != n && id != gone && !slices.Contains(kept, id) {
			in.list = append(in.list, id)
		}
	}
	in.near = s.sorted(n, in.list, in.near[:0])
	in.picked = append(in.picked[:0], kept...)
	s.setLinks(g, list, level, s.extendDiverse(in.near, min(degree+1, len(list))))
}
