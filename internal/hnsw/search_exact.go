package hnsw

import (
	"cmp"
	"slices"
)

// taker is offered rows with their distances.
type taker interface {
	offer(ids []uint32, dist []float32)
}

// scanBatch is the least number of rows that a scan scores at a time.
const scanBatch = 64

// denseShare is the share of allowed rows from which a scan of a mapped file reads all of them: by pages, which hold a
// few rows each, it would take longer.
const denseShare = 1.0 / 8

// scan scores every allowed row of the first n and offers them to c.
func (s *searcher) scan(g *graph, n int, f *filter, c taker) {
	s.reset(g, 0)
	if len(s.dist) < scanBatch {
		s.ids, s.dist = make([]uint32, 0, scanBatch), make([]float32, scanBatch)
	}
	ids := s.ids[:0]
	dense := g.mapped && s.scorer == s.rows && s.sampleAllowed(g, n, f) > denseShare
	for id := range uint32(n) {
		if dense && id%aheadRows == 0 {
			g.readAhead(id, min(id+aheadRows, uint32(n)))
		}
		if !g.allowed(id, f) {
			continue
		}
		ids = append(ids, id)
		if len(ids) == len(s.dist) {
			s.score(ids)
			c.offer(ids, s.dist)
			ids = ids[:0]
		}
	}
	s.score(ids)
	c.offer(ids, s.dist)
}

// exact scores every allowed row of the first n and returns the k nearest, ties by smaller label.
func (s *searcher) exact(g *graph, n int, f *filter, k int) []key {
	s.pool.reset(k + 1) // one more shows whether equally near rows are cut off
	s.scan(g, n, f, &s.pool)
	keys := s.pool.keys
	if len(keys) <= k {
		return keys
	}
	if keys[k-1]>>32 == keys[k]>>32 {
		return s.cutTie(g, n, f, keys[:k])
	}
	return keys[:k]
}

// cutTie replaces the keys that are as near as the last one by those of the rows with the smallest labels among all
// that are that near. Ties across the end are rare enough to score the rows once more for them.
func (s *searcher) cutTie(g *graph, n int, f *filter, keys []key) []key {
	at := keys[len(keys)-1] >> 32 << 32
	from, _ := slices.BinarySearch(keys, at)
	s.tied.at, s.tied.ids = at, s.tied.ids[:0]
	s.scan(g, n, f, &s.tied)
	slices.SortFunc(s.tied.ids, func(a, b uint32) int { return cmp.Compare(g.label(a), g.label(b)) })
	room := len(keys) - from
	keys = keys[:from]
	for _, id := range s.tied.ids[:min(room, len(s.tied.ids))] {
		keys = append(keys, at.with(id))
	}
	return keys
}

// tied takes the rows at one distance.
type tied struct {
	at  key // the distance's key, without an id
	ids []uint32
}

func (t *tied) offer(ids []uint32, dist []float32) {
	for i, id := range ids {
		if keyOf(dist[i], 0) == t.at {
			t.ids = append(t.ids, id)
		}
	}
}
