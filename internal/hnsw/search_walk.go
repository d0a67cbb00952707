package hnsw

import (
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/internal/simd"
)

// The candidates that a hop expands together. Codes are so short that a walk would mostly wait for the first of a list;
// two lists at a time are 10 to 15 % faster at equal recall. Rows gain nothing.
const (
	rowBeam   = 1
	codeBeam  = 2
	beamWidth = 2 // the larger
)

// collector holds the candidates of a walk and decides when it ends.
type collector interface {
	next() (node uint32, ok bool)
	// peek appends up to n of the candidates that next would give now.
	peek(dst []uint32, n int) []uint32
	offer(ids []uint32, dist []float32)
}

// expander walks one level of a graph by link lists and a scorer.
//
// A walk is the best-first search of the HNSW paper (algorithm 2): expand the nearest open candidates until the
// collector has none left worth it. The paper expands one at a time (a beam of 1). More at a time cost a few distances
// that a strict order would have spared, and wait once for the memory of all of them.
type expander struct {
	g       *graph
	level   int
	scorer  score.Scorer
	epoch   *atomic.Uint64 // odd while a row is being rewritten
	visited visited
	ids     []uint32
	dist    []float32
	scored  int
	hops    int // nodes expanded
	beam    int // candidates that a hop expands together
	nodes   [beamWidth]uint32
	likely  [beamWidth]uint32
	taken   int // of nodes, those about to be expanded
	found   int // where in visited.met the neighbours last found start
}

func (x *expander) reset(g *graph, level int) {
	x.g, x.level, x.hops = g, level, 0
	x.visited.reset(g.capacity)
	if longest := beamWidth * max(g.m0, g.m); cap(x.ids) < longest {
		x.ids, x.dist = make([]uint32, 0, longest), make([]float32, longest)
	}
}

// enter makes the element from the walk's first candidate.
func (x *expander) enter(from uint32, c collector) {
	x.visited.add(from)
	ids := append(x.ids[:0], from)
	x.score(ids)
	c.offer(ids, x.dist)
	x.taken, x.found = 0, len(x.visited.met)
}

// walk goes on until the end.
func (x *expander) walk(c collector) {
	for x.advance(c) {
		x.gather()
		x.soon(c)
		x.finish(c)
	}
}

// step does a third of a hop: all that can be done before the walk waits for memory, which step prefetches. It reports
// false at the end of the walk.
func (x *expander) step(c collector) bool {
	if x.taken > 0 {
		x.gather()
		x.scorer.Prefetch(x.visited.met[x.found:])
		return true
	}
	x.finish(c)
	if !x.advance(c) {
		return false
	}
	x.askLinks(x.nodes[:x.taken])
	return true
}

// advance takes the candidates that the next hop expands. It reports false where the walk has ended.
func (x *expander) advance(c collector) bool {
	x.taken = 0
	for x.taken < x.beam {
		node, ok := c.next()
		if !ok {
			break
		}
		x.nodes[x.taken] = node
		x.taken++
	}
	x.hops += x.taken
	return x.taken > 0
}

// gather finds the neighbours that the walk hasn't seen.
func (x *expander) gather() {
	x.found = len(x.visited.met)
	for _, node := range x.nodes[:x.taken] {
		switch g := x.g; {
		case x.level == 0 && g.packed.bits != 0:
			x.visited.addPacked(&g.packed, node)
		case g.checked:
			x.visited.addChecked(g.list(node, x.level), uint32(g.capacity))
		default:
			x.visited.addList(g.list(node, x.level))
		}
	}
	x.taken = 0
}

// soon asks for the links of the candidates that the next hop will probably expand.
func (x *expander) soon(c collector) {
	x.askLinks(c.peek(x.likely[:0], x.beam))
}

func (x *expander) askLinks(nodes []uint32) {
	if x.level == 0 && x.g.packed.bits != 0 {
		x.g.packed.prefetch(nodes)
		return
	}
	for _, node := range nodes {
		list := x.g.list(node, x.level)
		simd.Prefetch(unsafe.Pointer(&list[0]), 4*len(list))
	}
}

// finish scores what gather has found and offers it to the collector.
func (x *expander) finish(c collector) {
	ids := x.visited.met[x.found:]
	x.score(ids)
	c.offer(ids, x.dist)
}

// score fills dist; a batch during which some row was rewritten is scored again.
func (x *expander) score(ids []uint32) {
	x.scored += len(ids)
	for {
		before := x.epoch.Load()
		if before&1 == 0 {
			x.scorer.Score(ids, x.dist)
			if x.epoch.Load() == before {
				return
			}
		}
		runtime.Gosched()
	}
}
