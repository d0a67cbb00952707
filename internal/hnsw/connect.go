package hnsw

import (
	"github.com/shale-search/shale/internal/mmap"
)

const (
	// reachShare bounds how many elements may be added or changed before links are made to lead to all again: one in
	// reachShare. Writing the index out does so as well.
	reachShare = 8
	// bridges is the number of links that lead to an element, and what is reached from there alone, that nothing led to.
	bridges = 3
)

// connectAll adds links of level 0 until they lead from the entry point to each element, and from each element to the
// entry point: the heuristic that picks links may leave a group of elements cut off. It does nothing if few elements
// have changed since the last time; if all is true, only if none has.
func (x *Index) connectAll(all bool) (err error) {
	if x.backing != nil {
		defer x.noteFault(&err)
		defer mmap.Catch(mmap.Guard(), &err)
	}
	if !x.connectDue(all) {
		return nil
	}
	x.structure.Lock()
	defer x.structure.Unlock()
	return x.connectLocked(all)
}

// connectLocked is connectAll for a caller that holds structure for writing.
func (x *Index) connectLocked(all bool) (err error) {
	g := x.graph.Load()
	if g == nil || !x.connectDue(all) || x.fault.Load() != nil || x.cfg.external() && !g.attached() {
		return nil
	}
	if g.mapped {
		defer mmap.Catch(mmap.Guard(), &err)
	}
	x.mu.Lock()
	err = x.beginChange()
	x.mu.Unlock()
	if err != nil {
		return err
	}
	s, err := x.takeSearcher(g)
	if err != nil {
		return err
	}
	defer x.putSearcher(s)
	x.connectWith(s, g)
	return nil
}

func (x *Index) connectWith(s *searcher, g *graph) {
	if entry := x.entry.Load(); entry != none {
		c := &connector{x: x, s: s, g: g, n: uint32(x.Len()), entry: entry}
		c.connect()
	}
	x.connected.Store(x.changes.Load())
}

// connectDue reports whether enough elements have changed since links last led to all of them; if all is true, one
// is enough.
func (x *Index) connectDue(all bool) bool {
	changed := x.changes.Load() - x.connected.Load()
	return changed > 0 && (all || changed*reachShare >= int64(x.Len()))
}

// connector connects the first n elements of a graph.
type connector struct {
	x     *Index
	s     *searcher
	g     *graph
	n     uint32
	entry uint64
	met   bitmap // those that the entry point leads to
	open  []uint32
	near  []key
	// parent is the element whose link was the first to lead to another: that link is never dropped.
	parent []uint32
}

func (c *connector) connect() {
	c.met, c.parent = make(bitmap, (c.n+31)/32), make([]uint32, c.n)
	c.markReachable(uint32(c.entry))
	for id := range c.n {
		if !c.met.get(id) && c.g.ready.get(id) && !c.g.isCopy(id) {
			c.reach(id)
		}
	}
	for id := range c.n {
		if !c.met.get(id) && c.g.isCopy(id) {
			c.chain(id)
		}
	}
	c.leadBack()
}

// markReachable adds element from, and all elements that links lead to from there, to met.
func (c *connector) markReachable(from uint32) {
	c.met.set(from)
	c.open = append(c.open[:0], from)
	for len(c.open) > 0 {
		id := c.open[len(c.open)-1]
		c.open = c.open[:len(c.open)-1]
		for _, link := range c.g.list(id, 0) {
			if link == 0 {
				break
			}
			if to := link - 1; to < c.n && !c.met.get(to) {
				c.met.set(to)
				c.parent[to] = id
				c.open = append(c.open, to)
			}
		}
	}
}

// reach links elements near id, which the entry point leads to, to it.
func (c *connector) reach(id uint32) {
	c.find(id, c.met)
	linked := 0
	for _, force := range []bool{false, true} {
		for _, k := range c.near {
			if linked == bridges || force && linked > 0 {
				break
			}
			if c.link(k.id(), id, force) {
				c.parent[id] = k.id()
				linked++
			}
		}
	}
	if linked > 0 {
		c.markReachable(id)
	}
}

// chain puts a copy back into the chain of its leader, from which it has got lost.
func (c *connector) chain(id uint32) {
	var room [mostCopyLinks]uint32
	links := c.g.copyList(id, &room)
	if len(links) == 0 {
		return
	}
	leader := links[0]
	c.x.leave(c.g, id)
	c.x.chain(c.g, leader, id)
	if c.met.get(leader) {
		c.markReachable(id)
	}
}

// find fills near with elements of a set that a search for an element finds, nearest first.
func (c *connector) find(id uint32, among bitmap) {
	x, s, g := c.x, c.s, c.g
	x.bindVector(s, g, id)
	s.steerByRow(g, id)
	from := s.descend(g, c.entry, 0)
	if !among.get(from) {
		from = uint32(c.entry)
	}
	s.search(g, from, 0, x.cfg.EfConstruction)
	c.near = c.near[:0]
	for _, k := range s.pool.keys {
		if k.id() != id && among.get(k.id()) && !g.isCopy(k.id()) {
			c.near = append(c.near, k)
		}
	}
}

// link adds a link. If there is no room and force is set it takes the place of the last
// one by which nothing was reached.
func (c *connector) link(from, to uint32, force bool) (done bool) {
	c.x.changeLinks(c.g, from, func(links []uint32) []uint32 {
		if len(links) < c.g.m0 {
			done = true
			return append(links, to)
		}
		for i := len(links) - 1; i >= 0 && force; i-- {
			if c.parent[links[i]] != from && !c.g.isCopyOf(links[i], from) {
				links[i], done = to, true
				break
			}
		}
		return links
	})
	return done
}

// leadBack links elements that don't lead to the entry point to ones near them that do.
func (c *connector) leadBack() {
	back := make(bitmap, (c.n+31)/32)
	back.set(uint32(c.entry))
	var stray []uint32
	for id := range c.n {
		if c.g.ready.get(id) && id != uint32(c.entry) {
			stray = append(stray, id)
		}
	}
	for stray = c.markLeading(back, stray); len(stray) > 0; stray = c.markLeading(back, stray) {
		id := stray[0]
		back.set(id) // whatever happens
		if c.g.isCopy(id) {
			continue // its leader is linked
		}
		c.find(id, back)
		if len(c.near) == 0 {
			c.scan(id, back)
		}
		for i, k := range c.near {
			if i == bridges || !c.link(id, k.id(), i == 0) {
				break
			}
		}
	}
}

// markLeading adds to back those of stray that link to an element of back, until there are none, and returns the
// others.
func (c *connector) markLeading(back bitmap, stray []uint32) []uint32 {
	for {
		left := stray[:0]
		for _, id := range stray {
			if c.leadsInto(back, id) {
				back.set(id)
			} else if !back.get(id) {
				left = append(left, id)
			}
		}
		if len(left) == len(stray) {
			return left
		}
		stray = left
	}
}

func (c *connector) leadsInto(set bitmap, id uint32) bool {
	for _, link := range c.g.list(id, 0) {
		if link == 0 {
			return false
		}
		if link <= c.n && set.get(link-1) {
			return true
		}
	}
	return false
}

// scan fills near with the nearest elements of a set, of which a search has found none.
func (c *connector) scan(id uint32, among bitmap) {
	s := c.s
	c.x.bindVector(s, c.g, id)
	s.bindNew(id)
	s.scorer = s.rows
	s.pool.reset(bridges)
	var ids []uint32
	for other := range c.n {
		if other != id && among.get(other) && !c.g.isCopy(other) {
			ids = append(ids, other)
		}
		if len(ids) == scanBatch || other == c.n-1 {
			if len(s.dist) < scanBatch {
				s.ids, s.dist = make([]uint32, 0, scanBatch), make([]float32, scanBatch)
			}
			s.score(ids)
			s.pool.offer(ids, s.dist)
			ids = ids[:0]
		}
	}
	c.near = append(c.near[:0], s.pool.keys...)
}
