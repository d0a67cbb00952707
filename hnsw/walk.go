package hnsw

import (
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/shale-search/shale/internal/simd"
	"github.com/shale-search/shale/vector"
)

// expander gives a node's neighbours that the walk hasn't seen and their distances to the query. soon, if known, is a
// node likely to be expanded next.
type expander interface {
	expand(node uint32, soon uint32, known bool) (ids []uint32, dist []float32)
}

// collector holds the candidates of a walk and decides when it ends.
type collector interface {
	next() (node uint32, ok bool)
	peek() (node uint32, ok bool)
	offer(ids []uint32, dist []float32)
}

// walk is the best-first search of the HNSW paper (algorithm 2): expand the nearest open candidate until the collector
// has none left worth it. It returns the number of hops.
func walk(x expander, c collector) int {
	for hops := 0; ; hops++ {
		node, ok := c.next()
		if !ok {
			return hops
		}
		soon, known := c.peek()
		ids, dist := x.expand(node, soon, known)
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
}

func (x *rowExpander) reset(g *graph, level int) {
	x.g, x.level = g, level
	x.visited.reset(g.capacity)
	if longest := max(g.m0, g.m); cap(x.ids) < longest {
		x.ids, x.dist = make([]uint32, 0, longest), make([]float32, longest)
	}
}

func (x *rowExpander) expand(node, soon uint32, known bool) ([]uint32, []float32) {
	ids := x.visited.addList(x.g.list(node, x.level))
	if known {
		next := x.g.list(soon, x.level)
		simd.Prefetch(unsafe.Pointer(&next[0]), 4*len(next))
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
