package hnsw

import (
	"slices"
	"sync/atomic"
)

// linked counts by links of a level that lead to element id, and gives the count. Only level 0 is counted.
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
