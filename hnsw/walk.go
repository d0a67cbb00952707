package hnsw

import (
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/shale-search/shale/internal/simd"
	"github.com/shale-search/shale/vector"
)

// The candidates that a hop expands together. Codes are so short that a walk would mostly wait for the first of a list; two
// lists at a time are 10 to 15 % faster at equal recall. Rows gain nothing.
const (
	rowBeam   = 1
	codeBeam  = 2
	beamWidth = 2 // the larger
)

// expander gives the neighbours of nodes that the walk hasn't seen and their distances to the query. soon are nodes likely
// to be expanded next.
type expander interface {
	expand(nodes, soon []uint32) (ids []uint32, dist []float32)
}

// collector holds the candidates of a walk and decides when it ends.
type collector interface {
	next() (node uint32, ok bool)
	// peek appends up to n of the candidates that next would give now.
	peek(dst []uint32, n int) []uint32
	offer(ids []uint32, dist []float32)
}

// beam is the candidates that a hop expands together, and those that the next one probably will.
type beam struct {
	width     int
	now, soon [beamWidth]uint32
}

// walk is the best-first search of the HNSW paper (algorithm 2): expand the nearest open candidates until the collector has
// none left worth it. It returns the number of nodes expanded.
//
// The paper expands one at a time (a beam of 1). More at a time cost a few distances that a strict order would have
// spared, and wait once for the memory of all of them.
func walk(x expander, c collector, b *beam) int {
	for hops := 0; ; {
		nodes := b.now[:0]
		for len(nodes) < b.width {
			node, ok := c.next()
			if !ok {
				break
			}
			nodes = append(nodes, node)
		}
		if len(nodes) == 0 {
			return hops
		}
		hops += len(nodes)
		ids, dist := x.expand(nodes, c.peek(b.soon[:0], b.width))
		c.offer(ids, dist)
	}
}

// rowExpander expands by link lists and a scorer over rows.
type rowExpander struct {
	g       *graph
	level   int
	scorer  vector.Scorer
	epoch   *atomic.Uint64 // odd while a row is being rewritten
	visited visited
	ids     []uint32
	dist    []float32
	scored  int
	beam    beam
}

func (x *rowExpander) reset(g *graph, level int) {
	x.g, x.level = g, level
	x.visited.reset(g.capacity)
	if longest := beamWidth * max(g.m0, g.m); cap(x.ids) < longest {
		x.ids, x.dist = make([]uint32, 0, longest), make([]float32, longest)
	}
}

func (x *rowExpander) expand(nodes, soon []uint32) ([]uint32, []float32) {
	start := len(x.visited.met)
	for _, node := range nodes {
		x.visited.addList(x.g.list(node, x.level))
	}
	ids := x.visited.met[start:]
	for _, node := range soon {
		list := x.g.list(node, x.level)
		simd.Prefetch(unsafe.Pointer(&list[0]), 4*len(list))
	}
	x.score(ids)
	return ids, x.dist
}

// score fills dist; a batch during which some row was rewritten is scored again.
func (x *rowExpander) score(ids []uint32) {
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
