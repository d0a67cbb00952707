package hnsw

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/vector"
)

// none is no element: the entry point of an empty graph.
const none = math.MaxUint64

// Reader is the searching half of an index; Index and Frozen have its methods. All of them are safe for concurrent use,
// with each other and with the writing methods of Index, and take no lock.
type Reader struct {
	cfg       Config
	graph     atomic.Pointer[graph]
	entry     atomic.Uint64 // top level << 32 | entry point, or none
	count     atomic.Int64  // elements, those marked deleted included
	removed   atomic.Int64  // elements marked deleted
	epoch     atomic.Uint64 // goes up by one before and after a stored row is rewritten
	searchers sync.Pool
}

// view takes a reference to the current graph; the caller releases it.
func (r *Reader) view() (*graph, error) {
	for {
		g := r.graph.Load()
		if g == nil {
			return nil, ErrClosed
		}
		if g.acquire() {
			return g, nil
		}
	}
}

// Dim is the number of elements a vector.
func (r *Reader) Dim() int { return r.cfg.Dim }

// Metric is the index's metric.
func (r *Reader) Metric() vector.Metric { return r.cfg.Metric }

// Config is what the index was made with, defaults filled in.
func (r *Reader) Config() Config { return r.cfg }

// Len is the number of elements, those marked deleted included.
func (r *Reader) Len() int { return int(r.count.Load()) }

// Deleted is the number of elements marked deleted.
func (r *Reader) Deleted() int { return int(r.removed.Load()) }

// searcher is the state of one search or insertion, kept for the next.
type searcher struct {
	rowExpander
	rows     vector.RowScorer
	pool     pool
	filtered filtered
	tied     tied
	results  []Neighbor
	insert   insertState
}

func (r *Reader) takeSearcher(g *graph) (*searcher, error) {
	s, ok := r.searchers.Get().(*searcher)
	if !ok {
		s = &searcher{}
		s.scorer, s.epoch = &s.rows, &r.epoch
	}
	s.scored = 0
	if s.g == g {
		return s, nil
	}
	s.g = g
	return s, s.rows.Reset(g.rows, r.cfg.Metric, r.cfg.Custom)
}

func (r *Reader) putSearcher(s *searcher) {
	s.filtered.forget()
	r.searchers.Put(s)
}

// descend walks greedily from the entry point through the levels above until, and gives the nearest element found.
func (s *searcher) descend(g *graph, entry uint64, until int) uint32 {
	node := uint32(entry)
	for level := int(entry >> 32); level > until; level-- {
		node = s.nearest(g, node, level)
	}
	return node
}

// nearest is the element that a walk with a pool of one ends on.
func (s *searcher) nearest(g *graph, from uint32, level int) uint32 {
	s.search(g, from, level, 1)
	return s.pool.keys[0].id()
}

// search fills the pool with the ef nearest elements that a walk from the element from meets on level.
func (s *searcher) search(g *graph, from uint32, level, ef int) int {
	s.pool.reset(ef)
	return s.walk(g, from, level, &s.pool)
}

func (s *searcher) walk(g *graph, from uint32, level int, c collector) int {
	s.reset(g, level)
	s.visited.add(from)
	ids := append(s.ids[:0], from)
	s.score(ids)
	c.offer(ids, s.dist)
	return walk(&s.rowExpander, c)
}
