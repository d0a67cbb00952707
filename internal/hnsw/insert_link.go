package hnsw

import (
	"slices"
	"sync/atomic"
)

// insertState is what an insertion needs beside a search.
type insertState struct {
	chosen [][]uint32 // neighbours chosen on each level
	near   []key      // candidates, nearest first
	picked []uint32   // those picked so far
	dist   []float32
	list   []uint32
	kept   []uint32
	before []uint32 // links of a list that is being replaced
	after  []uint32
	angles angles
	alike  float32 // see Config.alikeUpTo
	ef     int     // candidates for the links
}

// link inserts element id, whose row is stored, into the graph. Neighbours are chosen on all levels first and its own
// lists are written before the first link to it, so that no search meets it half linked.
func (x *Index) link(s *searcher, g *graph, id uint32) {
	level := int(g.levels[id])
	entry := x.entry.Load()
	if entry == none {
		if entry = x.firstEntry(id, level); entry == none {
			x.join(g, id, false)
			return
		}
	}
	follow := level <= int(entry>>32) // the entry point is no copy: it needs lists on all levels
	if x.join(g, id, follow) {
		return
	}
	x.choose(s, g, id, min(level, int(entry>>32)), entry)
	if follow && x.joinNear(s, g, id) {
		return
	}
	x.connect(s, g, id, s.insert.chosen)
	if level > int(entry>>32) {
		x.raiseEntry(id, level)
	}
}

// firstEntry makes id the entry point of an empty graph and gives none, or gives the entry point if there is one.
func (x *Index) firstEntry(id uint32, level int) uint64 {
	if x.entry.CompareAndSwap(none, uint64(level)<<32|uint64(id)) {
		return none
	}
	return x.entry.Load()
}

// raiseEntry makes id the entry point unless another element as high has become it.
func (x *Index) raiseEntry(id uint32, level int) {
	for {
		e := x.entry.Load()
		if int(e>>32) >= level || x.entry.CompareAndSwap(e, uint64(level)<<32|uint64(id)) {
			return
		}
	}
}

// choose fills chosen[l] with the neighbours that id should have on each level l up to top.
func (x *Index) choose(s *searcher, g *graph, id uint32, top int, entry uint64) {
	in := &s.insert
	in.chosen = slices.Grow(in.chosen[:0], top+1)[:top+1]
	for l := range in.chosen {
		in.chosen[l] = in.chosen[l][:0]
	}
	s.steerByRow(g, id)
	from := s.descend(g, entry, top)
	for l := top; l >= 0; l-- {
		s.bindNew(id)
		s.search(g, from, l, s.insert.ef)
		from = s.pool.keys[0].id()
		in.near = x.candidates(g, in.near[:0], s.pool.keys, id)
		if s.scorer != s.rows {
			in.near = s.exactly(in.near)
		}
		in.chosen[l] = append(in.chosen[l], s.selectDiverse(id, in.near, x.cfg.newLinks(l))...)
	}
}

// bindNew binds rows to element id, which is being inserted. Where no rows are kept its vector, which is still the
// searcher's own query, says more than its code.
func (s *searcher) bindNew(id uint32) {
	if s.keepsRows() {
		s.rows.BindRow(id)
	} else {
		s.rows.BindOwn()
	}
}

// steerByRow makes element id, which is being inserted, the query of walks.
func (s *searcher) steerByRow(g *graph, id uint32) {
	s.bindNew(id)
	if s.coder == nil {
		return
	}
	own := s.codes.Query()
	if s.keepsRows() {
		g.rows.Decode(int(id), own)
	}
	s.steerByCodes(own)
}

// exactly replaces the distances of keys, which are estimates, by exact ones to the row bound, and sorts the keys.
func (s *searcher) exactly(keys []key) []key {
	in := &s.insert
	in.list = in.list[:0]
	for _, k := range keys {
		in.list = append(in.list, k.id())
	}
	in.dist = slices.Grow(in.dist[:0], len(keys))[:len(keys)]
	s.rows.Score(in.list, in.dist)
	for i, d := range in.dist {
		keys[i] = keyOf(d, in.list[i])
	}
	slices.Sort(keys)
	return keys
}

// candidates are the elements among keys that id may be linked to: live ones, and deleted ones only where there are too
// few of them. Copies are linked to their leaders alone.
func (x *Index) candidates(g *graph, dst, keys []key, id uint32) []key {
	if x.removed.Load() > 0 {
		for _, k := range keys {
			if k.id() != id && !g.deleted.get(k.id()) && !g.isCopy(k.id()) {
				dst = append(dst, k)
			}
		}
		if len(dst) >= x.cfg.M {
			return dst
		}
	}
	dst = dst[:0]
	for _, k := range keys {
		if k.id() != id && !g.isCopy(k.id()) {
			dst = append(dst, k)
		}
	}
	return dst
}

// connect writes id's own lists and then the links back to it, from level 0 up.
func (x *Index) connect(s *searcher, g *graph, id uint32, chosen [][]uint32) {
	x.setOwn(s, g, id, chosen)
	for l := range chosen {
		for _, n := range chosen[l] {
			x.linkBack(s, g, n, id, l)
		}
	}
}

// setOwn writes id's own lists.
func (x *Index) setOwn(s *searcher, g *graph, id uint32, chosen [][]uint32) {
	lock := x.lockNode(id)
	defer lock.Unlock()
	for l := range chosen {
		s.setLinks(g, id, l, chosen[l])
	}
}

// linkBack adds id to the list of element from; a full list is pruned by the heuristic.
func (x *Index) linkBack(s *searcher, g *graph, from, id uint32, level int) {
	lock := x.lockNode(from)
	defer lock.Unlock()
	if g.isCopy(from) { // it has become one meanwhile
		return
	}
	list := g.list(from, level)
	for i := range list {
		n := atomic.LoadUint32(&list[i])
		if n == id+1 {
			return
		}
		if n == 0 {
			g.linked(level, id, 1)
			atomic.StoreUint32(&list[i], id+1)
			return
		}
	}
	in := &s.insert
	in.list = append(g.neighbours(list, in.list[:0]), id)
	in.near = s.sorted(from, in.list, in.near[:0])
	picked := s.selectDiverse(from, in.near, len(list))
	if level == 0 && len(picked) < len(list) && atomic.LoadUint32(&g.inbound[id]) == 0 && !slices.Contains(picked, id) {
		picked = append(picked, id)
	}
	s.setLinks(g, from, level, picked)
}

// sorted scores ids against the row of element of and appends them to dst, nearest first.
func (s *searcher) sorted(of uint32, ids []uint32, dst []key) []key {
	in := &s.insert
	s.rows.BindRow(of)
	in.dist = slices.Grow(in.dist[:0], len(ids))[:len(ids)]
	s.rows.Score(ids, in.dist)
	for i, d := range in.dist {
		dst = append(dst, keyOf(d, ids[i]))
	}
	slices.Sort(dst)
	return dst
}

// linked counts by links of a level that lead to element id, and returns the count. Only level 0 is counted.
func (g *graph) linked(level int, id uint32, by int32) uint32 {
	if level != 0 {
		return 1
	}
	return atomic.AddUint32(&g.inbound[id], uint32(by))
}

// countInbound counts anew the links of the first n elements. Nothing else uses the graph meanwhile.
func (g *graph) countInbound(n int) {
	clear(g.inbound[:n])
	for id := range uint32(n) {
		for _, link := range g.list(id, 0) {
			if link == 0 {
				break
			}
			g.inbound[link-1]++
		}
	}
}

// setLinks replaces the links of element of on a level by those to ids; the caller holds the element's lock.
//
// The heuristic that picks links may drop the last one that leads to an element, which no search would find any more.
// Such a link stays where there is room for it. A link to a copy always stays.
func (s *searcher) setLinks(g *graph, of uint32, level int, ids []uint32) {
	in, list := &s.insert, g.list(of, level)
	in.before = g.neighbours(list, in.before[:0])
	in.after = append(in.after[:0], ids...)
	if level == 0 && g.copies.any() {
		in.after = g.keepCopy(of, in.before, in.after, len(list))
	}
	for _, id := range in.after {
		if !slices.Contains(in.before, id) {
			g.linked(level, id, 1)
		}
	}
	for _, id := range in.before {
		if !slices.Contains(in.after, id) && g.linked(level, id, -1) == 0 && len(in.after) < len(list) {
			g.linked(level, id, 1)
			in.after = append(in.after, id)
		}
	}
	storeLinks(list, in.after)
}

// keepCopy adds the first copy of a leader among its links to after, in place of the last link if there are most.
func (g *graph) keepCopy(of uint32, before, after []uint32, most int) []uint32 {
	for _, id := range before {
		if !g.isCopyOf(id, of) {
			continue
		}
		if !slices.Contains(after, id) {
			after = append(after[:min(len(after), most-1)], id)
		}
		break
	}
	return after
}

// storeLinks writes links to ids into a list.
func storeLinks(list, ids []uint32) {
	for i := range list {
		var n uint32
		if i < len(ids) {
			n = ids[i] + 1
		} else if list[i] == 0 {
			break
		}
		atomic.StoreUint32(&list[i], n)
	}
}
