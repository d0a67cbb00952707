package hnsw

import (
	"bytes"
	"cmp"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// copySet is the elements of a growing graph that are copies.
type copySet struct {
	bits bitmap
	n    atomic.Int64
}

func newCopySet(capacity int) *copySet { return &copySet{bits: make(bitmap, (capacity+31)/32)} }

// any reports whether there are copies.
func (c *copySet) any() bool { return c != nil && c.n.Load() > 0 }

func (c *copySet) add(id uint32) {
	c.bits.set(id)
	c.n.Add(1)
}

func (c *copySet) remove(id uint32) {
	c.bits.clear(id)
	c.n.Add(-1)
}

// grown returns the set with room for another number of elements; nil stays nil.
func (c *copySet) grown(capacity int) *copySet {
	if c == nil {
		return nil
	}
	to := newCopySet(capacity)
	copy(to.bits, c.bits)
	to.n.Store(c.n.Load())
	return to
}

// isCopy reports whether element id is a copy, in an index whose label map is built.
func (g *graph) isCopy(id uint32) bool { return g.copies.any() && g.copies.bits.get(id) }

// isCopyOf reports whether element id is a copy whose leader is element of.
func (g *graph) isCopyOf(id, of uint32) bool {
	return g.isCopy(id) && g.links0[int(id)*g.m0] == of+1
}

// mayHaveCopies reports whether the links of an element are those of a copy.
func (m *Image) mayHaveCopies() bool {
	m0 := 2 * m.Config.M
	list := func(link uint32) []uint32 { return m.Links0[int(link-1)*m0 : int(link)*m0] }
	short := func(links []uint32) bool { return links[0] != 0 && links[mostCopyLinks] == 0 }
	for id := range uint32(m.Count) {
		links := list(id + 1)
		if !short(links) {
			continue
		}
		alike := slices.Contains(list(links[0]), id+1) || links[1] != 0
		for _, next := range links[1:mostCopyLinks] {
			alike = alike && (next == 0 || short(list(next)) && list(next)[0] == links[0])
		}
		if alike {
			return true
		}
	}
	return false
}

// findCopies finds the copies among the first n elements. Nothing changes the graph meanwhile.
func (g *graph) findCopies(n int) {
	var room [mostCopyLinks]uint32
	var likely []uint32 // elements whose links are those of a copy
	leads := map[uint32]int{}
	for id := range uint32(n) {
		if g.levels[id] > 0 && g.list(id, 1)[0] != 0 {
			continue
		}
		if links := g.copyList(id, &room); len(links) > 0 && g.allEqual(id, links) {
			likely = append(likely, id)
			leads[links[0]]++
		}
	}
	// A leader may have few links too, that lead to copies alone. Then more elements say that it leads them.
	slices.SortFunc(likely, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(leads[b], leads[a]), cmp.Compare(a, b))
	})
	isLikely := make(bitmap, len(g.copies.bits))
	for _, id := range likely {
		isLikely.set(id)
	}
	for _, id := range likely {
		leader := g.copyList(id, &room)[0]
		if !isLikely.get(leader) && !g.copies.bits.get(leader) {
			g.copies.add(id)
		}
		isLikely.clear(id) // decided
	}
}

// allEqual reports whether links lead to other elements that are equal to id.
func (g *graph) allEqual(id uint32, links []uint32) bool {
	for _, to := range links {
		if to == id || !bytes.Equal(g.content(id), g.content(to)) {
			return false
		}
	}
	return true
}

// groups finds the leader of a row.
type groups struct {
	mu      sync.Mutex // held by every change of a chain
	leaders rowTable
	filled  bool // all elements are in leaders that have been there before, unless partial is set
	partial bool
}

// forget drops what is known of elements, whose numbers have changed.
func (gs *groups) forget() {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	gs.leaders, gs.filled, gs.partial = rowTable{}, false, false
}

// bytes returns the memory that finding leaders takes.
func (gs *groups) bytes() int64 {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	return int64(cap(gs.leaders.slots)) * 8
}

// leader returns the leader of the elements whose content is row. The caller holds mu.
func (x *Index) leader(g *graph, row []byte) (uint32, bool) {
	gs := &x.groups
	if !gs.filled {
		gs.filled = true
		x.fillLeaders(g)
	}
	return gs.leaders.find(row, g)
}

// fillLeaders finds the leaders among the elements that the index had before it was changed. Those in a file or
// elsewhere would all have to be read.
func (x *Index) fillLeaders(g *graph) {
	if x.backing != nil || g.mapped {
		x.groups.partial = true
		return
	}
	for id := range uint32(x.Len()) {
		if !g.ready.get(id) || g.isCopy(id) {
			continue
		}
		if _, ok := x.groups.leaders.find(g.content(id), g); !ok {
			x.groups.leaders.add(g.content(id), id)
		}
	}
}

// join makes element id, whose row is stored, a copy of the element with an equal row, if there is one and follow says
// so. It reports false where the element is to be linked by itself; it may become a leader then.
func (x *Index) join(g *graph, id uint32, follow bool) bool {
	for range joinPatience {
		if leader, joined := x.tryJoin(g, id, follow); joined || leader == id || !follow {
			return joined
		}
		runtime.Gosched() // the leader is being inserted
	}
	return false
}

// joinPatience bounds how often an element looks whether its leader has been inserted, which may have failed.
const joinPatience = 1 << 16

// tryJoin is join. It returns the leader, which is the element itself where there is no other, and reports whether
// the element has become its copy.
func (x *Index) tryJoin(g *graph, id uint32, follow bool) (leader uint32, joined bool) {
	x.groups.mu.Lock()
	defer x.groups.mu.Unlock()
	leader, ok := x.leader(g, g.content(id))
	switch {
	case !ok:
		x.groups.leaders.add(g.content(id), id)
		return id, false
	case leader == id || !follow || !g.ready.get(leader):
		return leader, false
	}
	x.chain(g, leader, id)
	return leader, true
}

// joinNear makes element id a copy of one with an equal row among the candidates for its links, where not all elements'
// rows are known.
func (x *Index) joinNear(s *searcher, g *graph, id uint32) bool {
	gs := &x.groups
	gs.mu.Lock()
	defer gs.mu.Unlock()
	if !gs.partial {
		return false
	}
	for _, k := range s.insert.near {
		leader := k.id()
		if !g.ready.get(leader) || g.isCopy(leader) || !s.equal(leader, id) {
			continue
		}
		gs.leaders.remove(g.content(id), id)
		gs.leaders.add(g.content(leader), leader)
		x.chain(g, leader, id)
		return true
	}
	return false
}

// chain makes element id the first copy of leader. It may have been linked otherwise before.
func (x *Index) chain(g *graph, leader, id uint32) {
	for l := 1; l <= int(g.levels[id]); l++ {
		lock := x.lockNode(id)
		storeLinks(g.list(id, l), nil)
		lock.Unlock()
	}
	x.drop(g, leader, id)
	first, ok := x.firstCopy(g, leader)
	x.noCopies.Store(false)
	g.copies.add(id)
	if !ok {
		x.changeLinks(g, id, func([]uint32) []uint32 { return []uint32{leader} })
		x.lead(g, leader, id)
		return
	}
	x.changeLinks(g, id, func([]uint32) []uint32 { return []uint32{leader, first} })
	x.changeLinks(g, first, func(links []uint32) []uint32 { return append(links, id) })
	x.exchange(g, leader, first, id)
}

// firstCopy returns the copy that a leader links to.
func (x *Index) firstCopy(g *graph, leader uint32) (uint32, bool) {
	if !g.copies.any() {
		return 0, false
	}
	lock := x.lockNode(leader)
	defer lock.Unlock()
	for _, id := range g.neighbours(g.list(leader, 0), nil) {
		if g.isCopyOf(id, leader) {
			return id, true
		}
	}
	return 0, false
}

// lead adds a link from a leader to its first copy. If the list is full, the copy takes the place of the farthest link
// that isn't the last one to its element.
func (x *Index) lead(g *graph, leader, id uint32) {
	x.changeLinks(g, leader, func(links []uint32) []uint32 {
		if len(links) < g.m0 {
			return append(links, id)
		}
		drop := len(links) - 1
		for drop > 0 && atomic.LoadUint32(&g.inbound[links[drop]]) < 2 {
			drop--
		}
		if drop == 0 {
			drop = len(links) - 1
		}
		return append(slices.Delete(links, drop, drop+1), id)
	})
}

// leave takes a copy out of its chain and leaves it without links on level 0.
func (x *Index) leave(g *graph, id uint32) {
	var room [mostCopyLinks]uint32
	links := g.copyList(id, &room)
	x.changeLinks(g, id, func([]uint32) []uint32 { return nil })
	g.copies.remove(id)
	switch len(links) {
	case 1:
		x.drop(g, links[0], id)
	case 2: // an end of the chain, that from which the leader links to it or the other
		x.exchange(g, links[0], id, links[1])
		x.drop(g, links[1], id)
	case mostCopyLinks:
		x.exchange(g, links[1], id, links[2])
		x.exchange(g, links[2], id, links[1])
	}
}

// replaceLeader makes the first copy of an element that is to get another row, if it has any, the leader of the others.
func (x *Index) replaceLeader(s *searcher, g *graph, id uint32) {
	successor, ok := x.firstCopy(g, id)
	if !ok {
		return
	}
	x.drop(g, id, successor)
	chain := x.chainFrom(g, successor)
	x.drop(g, successor, id)
	g.copies.remove(successor)
	for i, c := range chain[1:] {
		if i == 0 {
			x.drop(g, c, successor)
		}
		x.exchange(g, c, id, successor)
	}
	x.groups.leaders.add(g.content(successor), successor)
	x.bindVector(s, g, successor)
	entry := x.entry.Load()
	x.choose(s, g, successor, min(int(g.levels[successor]), int(entry>>32)), entry)
	x.connect(s, g, successor, s.insert.chosen)
}

// chainFrom returns the copies of a chain from one of its ends on.
func (x *Index) chainFrom(g *graph, end uint32) []uint32 {
	var room [mostCopyLinks]uint32
	chain, met := []uint32{end}, map[uint32]bool{end: true}
	for i := 0; i < len(chain); i++ {
		links := g.copyList(chain[i], &room)
		for _, n := range links[min(1, len(links)):] {
			if g.isCopy(n) && !met[n] {
				met[n] = true
				chain = append(chain, n)
			}
		}
	}
	return chain
}

// exchange puts the link to another element in the place of one on level 0, if it is there. Where a power cut has torn
// a chain the other link may be there already, or lead back to the element itself.
func (x *Index) exchange(g *graph, of, old, to uint32) {
	x.changeLinks(g, of, func(links []uint32) []uint32 {
		i := slices.Index(links, old)
		switch {
		case i < 0:
			return links
		case of == to || slices.Contains(links, to):
			return slices.Delete(links, i, i+1)
		}
		links[i] = to
		return links
	})
}

// drop takes a link on level 0 away.
func (x *Index) drop(g *graph, of, old uint32) {
	x.changeLinks(g, of, func(links []uint32) []uint32 {
		return slices.DeleteFunc(links, func(id uint32) bool { return id == old })
	})
}

// changeLinks replaces the links of an element on level 0 by what change makes of them.
func (x *Index) changeLinks(g *graph, of uint32, change func([]uint32) []uint32) {
	lock := x.lockNode(of)
	defer lock.Unlock()
	list := g.list(of, 0)
	before := g.neighbours(list, nil)
	after := change(slices.Clone(before))
	for _, id := range after {
		g.linked(0, id, 1)
	}
	for _, id := range before {
		g.linked(0, id, -1)
	}
	storeLinks(list, after)
}
