package hnsw

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/shale-search/shale/internal/workers"
)

// Purge removes the elements that are marked deleted and gives the others new numbers. An element that had links to
// removed ones gets links to elements that those had links to, as in the consolidation of deletions of FreshDiskANN
// (Singh et al. 2021, algorithm 4). Links that lead elsewhere stay, in place of being chosen anew: where many rows come
// and go, choosing anew thins out the graph.
//
// Threads is the number of goroutines; 0 means GOMAXPROCS. Changes wait meanwhile. Like Reorder it returns ErrBusy, and
// does nothing, if searches are under way. If ctx ends, the index is as it was but for links, some of which no longer
// lead to deleted elements.
func (x *Index) Purge(ctx context.Context, threads int) error {
	x.structure.Lock()
	defer x.structure.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	g := x.graph.Load()
	switch {
	case g == nil:
		return ErrClosed
	case x.cfg.external():
		return fmt.Errorf("hnsw: elements can't be removed: %w", ErrExternal)
	case x.backing != nil:
		return fmt.Errorf("hnsw: elements can't be removed: %w", ErrBacked)
	case x.removed.Load() == 0:
		return nil
	}
	x.buildLabelMap(g)
	p := &purge{x: x, g: g, n: uint32(x.Len())}
	if err := p.leaveGroups(); err != nil {
		return err
	}
	if err := p.bypass(ctx, threads); err != nil {
		return err
	}
	x.graph.Store(nil)
	defer x.graph.Store(g)
	if !g.refs.CompareAndSwap(1, 0) { // from now on nobody can take a reference
		return ErrBusy
	}
	defer g.refs.Store(1)
	p.enterAlive()
	p.pack()
	return nil
}

// purge is one Purge of the first n elements of a graph.
type purge struct {
	x    *Index
	g    *graph
	n    uint32
	next atomic.Uint32 // the first element that no goroutine has taken
}

// purgeStep is the number of elements that a goroutine takes at a time.
const purgeStep = 64

func (p *purge) dead(id uint32) bool { return p.g.deleted.get(id) }

// leaveGroups takes the dead elements out of the groups of equal rows. A dead leader's place is taken by a copy.
func (p *purge) leaveGroups() error {
	if !p.g.copies.any() {
		return nil
	}
	s, err := p.x.takeSearcher(p.g)
	if err != nil {
		return err
	}
	defer p.x.putSearcher(s)
	gs := &p.x.groups
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for id := range p.n {
		if p.dead(id) && p.g.isCopy(id) {
			p.x.leave(p.g, id)
		}
	}
	for id := range p.n {
		if p.dead(id) {
			p.x.replaceLeader(s, p.g, id)
		}
	}
	return nil
}

// bypass replaces all links that lead to dead elements.
func (p *purge) bypass(ctx context.Context, threads int) error {
	threads = workers.Threads(threads, int(p.n/purgeStep)+1)
	errs := make(chan error, threads)
	workers.Run(threads, p, func(p *purge) {
		workers.Begin(ctx)
		s, err := p.x.takeSearcher(p.g)
		if err == nil {
			err = (&bypass{p: p, s: s}).work(ctx)
			p.x.putSearcher(s)
		}
		errs <- err
	})
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// bypass is the state of one goroutine of purge.bypass.
type bypass struct {
	p     *purge
	s     *searcher
	list  []uint32 // the links of an element
	kept  []uint32 // those to living elements
	gone  []uint32 // those to dead ones
	other []uint32 // elements that may take the places of those
	near  []key    // the same, nearest first
}

func (b *bypass) work(ctx context.Context) error {
	p := b.p
	var yield workers.Yield
	for {
		first := p.next.Add(purgeStep) - purgeStep
		if first >= p.n {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		for id := first; id < min(first+purgeStep, p.n); id++ {
			if p.dead(id) || !p.g.ready.get(id) {
				continue
			}
			for level := range int(p.g.levels[id]) + 1 {
				b.relink(id, level)
			}
			yield.Now()
		}
	}
}

// relink replaces the links of element id on a level that lead to dead elements.
func (b *bypass) relink(id uint32, level int) {
	g := b.p.g
	links := g.list(id, level)
	b.list, b.kept, b.gone = g.neighbours(links, b.list[:0]), b.kept[:0], b.gone[:0]
	for _, to := range b.list {
		if b.p.dead(to) {
			b.gone = append(b.gone, to)
		} else {
			b.kept = append(b.kept, to)
		}
	}
	if len(b.gone) == 0 {
		return
	}
	b.candidates(id, level)
	in := &b.s.insert
	b.near = b.s.sorted(id, b.other, b.near[:0])
	b.near = b.near[:min(len(b.near), bypassNear*len(b.gone))]
	in.picked = append(in.picked[:0], b.kept...)
	picked := b.s.extendDiverse(id, b.near, len(b.list))
	if len(picked) == 0 && len(b.near) > 0 {
		picked = append(picked, b.near[0].id())
	}
	lock := b.p.x.lockNode(id)
	defer lock.Unlock()
	for _, to := range picked[len(b.kept):] {
		g.linked(level, to, 1)
	}
	storeLinks(links, picked)
}

const (
	// bypassLinks is how many links of a dead element are looked at for each element that had a link to it.
	bypassLinks = 16
	// bypassNear is how many of those, the nearest, may take the place of the link, where the diverse ones are taken. The
	// more there are, the more often the others are compared. With both bounds a removed row takes 70 µs in place of 190,
	// and recall at 10 with an ef of 40 is 0.002 less after as many rows were replaced as there are.
	bypassNear = 3
)

// candidates fills other with the living elements that the dead neighbours of an element have links to. Where one has
// links to dead elements alone, those that they have links to are taken.
func (b *bypass) candidates(id uint32, level int) {
	g := b.p.g
	b.other = b.other[:0]
	for _, dead := range b.gone {
		before := len(b.other)
		b.other = b.alive(dead, level, b.other)
		b.other = b.other[:min(len(b.other), before+bypassLinks)]
		if len(b.other) > before {
			continue
		}
		for _, next := range g.neighbours(g.list(dead, level), nil) {
			b.other = b.alive(next, level, b.other)
		}
	}
	slices.Sort(b.other)
	b.other = slices.DeleteFunc(slices.Compact(b.other), func(other uint32) bool {
		return other == id || g.isCopy(other) || slices.Contains(b.kept, other)
	})
}

// alive appends those links of an element that lead to living elements.
func (b *bypass) alive(id uint32, level int, dst []uint32) []uint32 {
	from := len(dst)
	dst = b.p.g.neighbours(b.p.g.list(id, level), dst)
	return append(dst[:from], slices.DeleteFunc(dst[from:], b.p.dead)...)
}

// enterAlive makes a living element of the highest level the entry point if the present one is dead.
func (p *purge) enterAlive() {
	if e := p.x.entry.Load(); e != none && !p.dead(uint32(e)) {
		return
	}
	entry := uint64(none)
	for id := range p.n {
		if !p.dead(id) && (entry == none || uint64(p.g.levels[id]) > entry>>32) {
			entry = uint64(p.g.levels[id])<<32 | uint64(id)
		}
	}
	p.x.entry.Store(entry)
}

// pack moves the living elements to the front, in their order, and forgets the others.
func (p *purge) pack() {
	x, g, n := p.x, p.g, int(p.n)
	order := make([]uint32, 0, n)
	for _, dead := range []bool{false, true} {
		for id := range p.n {
			if p.dead(id) == dead {
				order = append(order, id)
			}
		}
	}
	alive := n - int(x.removed.Load())
	m := x.image(g, x.lists)
	m.Renumber(order)
	if alive > 0 {
		x.entry.Store(uint64(m.TopLevel)<<32 | uint64(m.Entry))
	}
	permute(g.rowBytes, g.rows.Stride(), order)
	g.ready.permute(order)
	for id := uint32(alive); id < p.n; id++ {
		g.ready.clear(id)
		g.deleted.clear(id)
	}
	clear(g.links0[alive*g.m0 : n*g.m0])
	p.packUpper(alive)
	clear(g.inbound[alive:n])
	clear(g.levels[alive:n])
	clear(g.labels[alive:n])
	x.ids, x.free = nil, freeList{}
	x.groups.forget()
	x.count.Store(int64(alive))
	x.removed.Store(0)
	x.epoch.Add(2) // what was resolved to elements is out of date
	x.buildLabelMap(g)
	x.changes.Add(int64(n - alive))
}

// packUpper moves the lists above level 0 of the first elements to the front.
func (p *purge) packUpper(alive int) {
	g := p.g
	used := g.upper[:p.x.lists*g.m]
	packed := make([]uint32, 0, len(used))
	for id := range alive {
		if g.levels[id] == 0 {
			continue
		}
		at := int(g.upperAt[id]) * g.m
		g.upperAt[id] = uint32(len(packed) / g.m)
		packed = append(packed, used[at:at+int(g.levels[id])*g.m]...)
	}
	clear(used[copy(used, packed):])
	p.x.lists = len(packed) / g.m
}
