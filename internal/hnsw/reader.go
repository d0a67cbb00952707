package hnsw

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/quant/pq"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/search"
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
	noCopies  atomic.Bool   // no element is a copy, so that walks needn't look for them
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

// readGraph calls read with the current graph and the number of its elements. It holds the graph meanwhile, and returns
// faults of mapped memory as errors.
func (r *Reader) readGraph(read func(g *graph, n int) error) (err error) {
	if r.faulty() {
		defer mmap.Catch(mmap.Guard(), &err)
	}
	n := r.Len()
	g, err := r.view()
	if err != nil {
		return err
	}
	defer g.release()
	return read(g, min(n, g.capacity))
}

// Dim returns the number of values of a vector.
func (r *Reader) Dim() int { return r.cfg.Dim }

// Metric returns the index's metric.
func (r *Reader) Metric() vector.Metric { return r.cfg.Metric }

// Config returns the configuration of the index, with defaults filled in.
func (r *Reader) Config() Config { return r.cfg }

// Len returns the number of elements, those marked deleted included.
func (r *Reader) Len() int { return int(r.count.Load()) }

// Deleted returns the number of elements marked deleted.
func (r *Reader) Deleted() int { return int(r.removed.Load()) }

// Labels returns the labels of all elements, including deleted ones, in the order in which they were first used.
// Reorder changes that order.
func (r *Reader) Labels() (labels []uint64, err error) {
	err = r.readGraph(func(g *graph, n int) error {
		labels = make([]uint64, n)
		for i := range labels {
			labels[i] = g.label(uint32(i))
		}
		return nil
	})
	return labels, err
}

// LargestLabel returns the largest label, those of deleted elements included; ok is false where there is none.
func (r *Reader) LargestLabel() (label uint64, ok bool, err error) {
	err = r.readGraph(func(g *graph, n int) error {
		for i := range n {
			label = max(label, g.label(uint32(i)))
		}
		ok = n > 0
		return nil
	})
	return label, ok, err
}

// rowScorer scores elements against a query, which is its own or an element. score.Rows, quant.Scorer and pq.Scorer
// are.
type rowScorer interface {
	score.Scorer
	Query() []float32 // dim values, to be filled in before BindOwn
	BindOwn()
	BindRow(id uint32)
}

// searcher is the state of one search or insertion, kept for the next.
type searcher struct {
	expander
	rows     rowScorer  // what distances told come from: kept, or the codes where no rows are
	kept     score.Rows // of the rows kept
	coder    *coder     // whose codes walks read; nil: they read rows
	codes    codeScorer
	encoder  codeEncoder
	pool     pool
	best     pool // exact distances of candidates found by codes
	reranked int
	filtered filtered
	tied     tied
	copies   copyHolder
	results  []search.Neighbor
	task     task
	insert   insertState
}

func (r *Reader) takeSearcher(g *graph) (*searcher, error) {
	s, ok := r.searchers.Get().(*searcher)
	if !ok {
		s = &searcher{}
		s.epoch = &r.epoch
	}
	if c := g.coder.Load(); c != s.coder {
		s.setCoder(c)
	}
	kept := r.cfg.keepsRows() && (!r.cfg.external() || g.attached())
	switch {
	case kept:
		s.rows = &s.kept
	case s.coder == nil:
		return s, ErrNoRows
	default:
		s.rows = s.codes
	}
	s.scorer, s.beam = s.rows, rowBeam
	s.scored, s.reranked = 0, 0
	s.copies.none = r.noCopies.Load()
	s.insert.angles.on = r.cfg.Metric == vector.IP && r.cfg.Custom == nil
	s.insert.alike = r.cfg.alikeUpTo()
	s.insert.ef = r.cfg.EfConstruction
	if s.g == g {
		return s, nil
	}
	s.g = g
	if s.coder != nil && s.coder.outside {
		s.codes.(*pq.Scorer).SquaredL2(s.coder.squared && !kept)
		s.codes.(*pq.Scorer).Order(s.coder.order)
	}
	if !kept {
		return s, nil
	}
	return s, s.kept.Reset(g.rows, r.cfg.Metric, r.cfg.Custom)
}

func (s *searcher) setCoder(c *coder) {
	s.coder = c
	if c != nil {
		s.codes = c.q.scorer(s.codes, c.codes)
		s.encoder = c.q.encoder()
	}
}

// steerByCodes lets walks read codes, if there are any, bound to the query (dim values, normalised where the metric
// asks for it), to which rows are bound.
func (s *searcher) steerByCodes(query []float32) {
	if s.coder == nil {
		return
	}
	if s.keepsRows() {
		s.codes.Bind(query)
	}
	s.scorer, s.beam = s.codes, codeBeam
}

// keepsRows reports whether there are rows beside the codes, if any.
func (s *searcher) keepsRows() bool { return s.rows == rowScorer(&s.kept) }

func (r *Reader) putSearcher(s *searcher) {
	s.filtered.forget()
	s.task = task{}
	r.searchers.Put(s)
}

// descend walks greedily from the entry point through the levels above until, and returns the nearest element found.
func (s *searcher) descend(g *graph, entry uint64, until int) uint32 {
	node := uint32(entry)
	top := min(int(entry>>32), int(g.levels[node])) // a reordered graph may have another element there
	if top <= until {
		return node
	}
	s.reset(g, 0)
	ids := append(s.ids[:0], node)
	s.score(ids)
	at := keyOf(s.dist[0], node)
	for level := top; level > until; level-- {
		at = s.nearest(g, at, level)
	}
	return at.id()
}

// nearest moves to the nearest neighbour on level for as long as that is nearer.
func (s *searcher) nearest(g *graph, at key, level int) key {
	for {
		ids := neighbours(g.list(at.id(), level), s.ids[:0])
		if g.checked {
			ids = g.sound(ids)
		}
		s.score(ids)
		best := at
		for i, id := range ids {
			best = min(best, keyOf(s.dist[i], id))
		}
		if best == at {
			return at
		}
		at = best
	}
}

// search fills the pool with the ef nearest elements that a walk from the element from meets on level.
func (s *searcher) search(g *graph, from uint32, level, ef int) {
	s.pool.reset(ef)
	if level == 0 {
		s.pool.copies = s.copyFilter()
	}
	s.reset(g, level)
	s.enter(from, &s.pool)
	s.walk(&s.pool)
}
