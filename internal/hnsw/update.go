package hnsw

import (
	"bytes"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/vector"
)

// update replaces the vector, and where it changed the label, of an element that is in the graph, brings it back if it
// was deleted, and repairs the links around it on each of its levels, as hnswlib's updatePoint does. The caller holds
// the label's lock; own is the searcher's query.
func (x *Index) update(s *searcher, at slot, own []float32) {
	if at.g.updating != nil {
		at.g.updating.set(at.id)
		defer at.g.updating.clear(at.id)
	}
	if x.leaveGroup(s, at, own) {
		x.rewrite(s, at, own)
		x.rejoin(s, at)
		return
	}
	x.rewrite(s, at, own)
}

// leaveGroup takes an element that is to get another row out of its group. It reports false where the row stays the
// same and the links therefore may, as those of groups do.
func (x *Index) leaveGroup(s *searcher, at slot, own []float32) bool {
	gs := &x.groups
	gs.mu.Lock()
	defer gs.mu.Unlock()
	g, id := at.g, at.id
	_, leads := x.firstCopy(g, id)
	if g.isCopy(id) || leads {
		if s.encodesTo(g.content(id), own) {
			return false
		}
	}
	gs.leaders.remove(g.content(id), id)
	if g.isCopy(id) {
		x.leave(g, id)
	}
	if leads {
		row := slices.Clone(own) // which linking another element overwrites
		x.replaceLeader(s, g, id)
		copy(own, row)
	}
	return true
}

// rejoin links an element whose row has changed, to the leader of the rows that are equal to it if there is one.
func (x *Index) rejoin(s *searcher, at slot) {
	for l := range int(at.g.levels[at.id]) + 1 {
		x.repairAround(s, at.g, at.id, l)
	}
	follow := uint32(x.entry.Load()) != at.id // the entry point needs lists on all levels
	if !x.join(at.g, at.id, follow) {
		x.linkMoved(s, at, follow)
	}
}

// encodesTo reports whether vec is stored as content is.
func (s *searcher) encodesTo(content []byte, vec []float32) bool {
	g, room := s.g, make([]byte, len(content)+64)
	room = room[-int(uintptr(unsafe.Pointer(&room[0])))&63:][:len(content)] // where any type of row may lie
	if !s.keepsRows() {
		s.encoder.Encode(room, vec)
		return bytes.Equal(room, content)
	}
	row, err := vector.FromBytes(room, g.rows.Type(), 1, g.rows.Dim(), len(room))
	if err != nil {
		return false
	}
	rowtype.Encode(row, 0, vec)
	return bytes.Equal(room, content)
}

// linkMoved links an element whose row has changed anew. If follow is set and an element has an equal row, the element
// becomes its copy.
func (x *Index) linkMoved(s *searcher, at slot, follow bool) {
	level, entry := int(at.g.levels[at.id]), x.entry.Load()
	x.choose(s, at.g, at.id, min(level, int(entry>>32)), entry)
	if follow && x.joinNear(s, at.g, at.id) {
		return
	}
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
	at.g.noteSum(at.id)
	at.g.journal.end()
}

// repairAround mends the links of the elements around id on level, now that id is to move elsewhere: each that links to
// id gets another link in its place, from their common neighbourhood.
//
// hnswlib chooses the whole list of each anew; the heuristic then drops links that were no worse than before, and a
// graph that sees many updates thins out.
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

// relink replaces element n's link to gone, if it has one, by the nearest of the candidates around that are not nearer
// to a neighbour of n than to n.
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
		if id != n && id != gone && !g.isCopy(id) && !slices.Contains(kept, id) {
			in.list = append(in.list, id)
		}
	}
	in.near = s.sorted(n, in.list, in.near[:0])
	in.picked = append(in.picked[:0], kept...)
	s.setLinks(g, n, level, s.extendDiverse(n, in.near, min(degree+1, len(list))))
}
