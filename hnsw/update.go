package hnsw

import (
	"slices"
)

// update replaces the vector, and where it changed the label, of an element that is in the graph, brings it back if it
// was deleted, and repairs the links around it on each of its levels, as hnswlib's updatePoint does. The caller holds
// the label's lock; own is the searcher's query.
func (x *Index) update(s *searcher, at slot, own []float32) {
	x.rewrite(at, own)
	level, entry := int(at.g.levels[at.id]), x.entry.Load()
	for l := 0; l <= level; l++ {
		x.repairAround(s, at.g, at.id, l)
	}
	x.choose(s, at.g, at.id, min(level, int(entry>>32)), entry)
	for l, ids := range s.insert.chosen {
		if len(ids) == 0 { // nothing else was met: the links that are there stay
			s.insert.chosen[l] = neighbours(at.g.list(at.id, l), ids)
		}
	}
	x.connect(s, at.g, at.id, s.insert.chosen)
}

// rewrite stores the row, label and mark as one change: searches that overlap it look again.
func (x *Index) rewrite(at slot, own []float32) {
	x.rowLock.Lock()
	defer x.rowLock.Unlock()
	x.epoch.Add(1)
	defer x.epoch.Add(1)
	at.g.rows.Encode(int(at.id), own)
	at.g.setLabel(at.id, at.label)
	if at.g.deleted.get(at.id) {
		at.g.deleted.clear(at.id)
		x.removed.Add(-1)
	}
}

// repairAround chooses anew the links of the elements that id links to, among their common neighbourhood.
func (x *Index) repairAround(s *searcher, g *graph, id uint32, level int) {
	near := neighbours(g.list(id, level), nil)
	if len(near) == 0 {
		return
	}
	around := append([]uint32{id}, near...)
	for _, n := range near {
		around = neighbours(g.list(n, level), around)
	}
	slices.Sort(around)
	around = slices.Compact(around)
	for _, n := range near {
		x.relink(s, g, n, level, around)
	}
}

// relink chooses element n's links on level among the candidates around, which are sorted, and the links that it has got
// since they were gathered.
func (x *Index) relink(s *searcher, g *graph, n uint32, level int, around []uint32) {
	in, list := &s.insert, g.list(n, level)
	lock := x.lockNode(n)
	defer lock.Unlock()
	in.list = slices.DeleteFunc(neighbours(list, in.list[:0]), func(id uint32) bool {
		_, known := slices.BinarySearch(around, id)
		return known
	})
	in.list = append(in.list, around...)
	if i := slices.Index(in.list, n); i >= 0 {
		in.list = slices.Delete(in.list, i, i+1)
	}
	in.near = s.sorted(n, in.list, in.near[:0])
	if len(in.near) > x.cfg.EfConstruction {
		in.near = in.near[:x.cfg.EfConstruction]
	}
	setNeighbours(list, s.selectDiverse(in.near, len(list)))
}
