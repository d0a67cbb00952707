package hnsw

// Numbers of rows that a re-rank scores together: first a few, which rule out most others, then more.
const (
	rerankFirst = 16
	rerankBatch = 64
)

// rerank scores candidates found by codes, which are sorted, by their rows. It returns the k nearest, sorted, with all
// ties of the k-th. depth > 0 is the number of candidates to score. With depth 0 it ends at the first candidate that
// can't be among the k nearest, given the error bounds of the estimates.
func (s *searcher) rerank(keys []key, k, depth int) []key {
	best := &s.best
	best.reset(k + 1) // one more, so that a tie with the k-th is seen
	if len(s.dist) < rerankBatch {
		s.ids, s.dist = make([]uint32, 0, rerankBatch), make([]float32, rerankBatch)
	}
	if depth > 0 {
		keys = keys[:min(len(keys), max(depth, k))]
	}
	widest, batch := float32(0), max(rerankFirst, min(k+1, rerankBatch))
	for len(keys) > 0 {
		ids := s.ids[:0]
		for len(keys) > 0 && len(ids) < batch {
			next := keys[0]
			keys = keys[1:]
			if depth <= 0 && len(best.keys) > k {
				off := s.codes.Bound(next.id(), next.distance())
				widest = max(widest, off)
				kth := best.keys[k-1].distance()
				if next.distance()-widest > kth {
					keys = nil
					break
				}
				if next.distance()-off > kth {
					continue
				}
			}
			ids = append(ids, next.id())
		}
		s.reranked += len(ids)
		s.scoreRows(ids)
		best.offer(ids, s.dist)
		batch = rerankBatch
	}
	return best.keys
}

// scoreRows fills dist with the exact distances of ids.
func (s *searcher) scoreRows(ids []uint32) {
	scorer := s.scorer
	s.scorer = s.rows
	s.scored -= len(ids) // counted apart
	s.score(ids)
	s.scorer = scorer
}
