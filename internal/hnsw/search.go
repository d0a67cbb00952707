package hnsw

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"

	"github.com/shale-search/shale/internal/labelset"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/quant/pq"
	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/internal/stop"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// Search returns the k elements nearest to query (dim values), nearest first, ties by smaller label, or fewer where
// there are fewer.
func (r *Reader) Search(query []float32, k int, o search.Options) ([]search.Neighbor, error) {
	return r.SearchInto(make([]search.Neighbor, 0, max(min(k, r.Len()), 0)), query, k, o)
}

// SearchInto is Search that appends the results to dst. It doesn't allocate if dst has room.
func (r *Reader) SearchInto(dst []search.Neighbor, query []float32, k int,
	o search.Options) ([]search.Neighbor, error) {
	return r.searchInto(dst, query, k, &task{o: o})
}

// searchInto does a search of which the task holds the options.
func (r *Reader) searchInto(dst []search.Neighbor, query []float32, k int,
	t *task) (found []search.Neighbor, err error) {
	if r.faulty() {
		defer mmap.Catch(mmap.Guard(), &err)
	}
	s, err := r.prepared(query, k, t)
	if err != nil {
		return dst, err
	}
	defer r.end(s)
	if c := s.task.collector; c != nil {
		s.walk(c)
	}
	return append(dst, r.conclude(s)...), nil
}

// prepared returns a searcher that has done all of a search that comes before its walk. It holds the current arrays
// until end. The task holds the options.
func (r *Reader) prepared(query []float32, k int, t *task) (*searcher, error) {
	entry, n := r.entry.Load(), r.Len() // before the arrays, which then hold those elements
	s, err := r.begin(query, k, &t.o)
	if err != nil {
		return nil, err
	}
	s.task = *t
	if entry == none {
		return s, nil
	}
	ready := false
	defer func() {
		if !ready { // a mapping has faulted
			r.end(s)
		}
	}()
	r.prepare(s, k, entry, n)
	ready = true
	return s, nil
}

// begin returns a searcher bound to query that holds the current arrays, until end.
func (r *Reader) begin(query []float32, k int, o *search.Options) (*searcher, error) {
	if len(query) != r.cfg.Dim {
		return nil, fmt.Errorf("%w: the query has %d values, the index has %d", vector.ErrDim, len(query), r.cfg.Dim)
	}
	if err := request.Check(o, k); err != nil {
		return nil, err
	}
	g, err := r.view()
	if err != nil {
		return nil, err
	}
	s, err := r.takeSearcher(g)
	if err == nil {
		err = r.bind(s, query)
	}
	if err != nil {
		g.release()
		return nil, err
	}
	return s, nil
}

func (r *Reader) end(s *searcher) {
	g := s.g
	r.putSearcher(s)
	g.release()
}

// bind makes query, normalised where the metric asks for it, the searcher's query.
func (r *Reader) bind(s *searcher, query []float32) error {
	if err := r.cfg.checkLength(query); err != nil {
		return fmt.Errorf("query: %w", err)
	}
	own := s.rows.Query()
	copy(own, query)
	if r.cfg.Metric == vector.Cosine {
		vector.Normalize(own)
	}
	s.rows.BindOwn()
	return nil
}

// task is one search under way.
type task struct {
	o         search.Options
	resolved  *denseFilter // o.Filter over elements, which may have gone out of date; nil: there is none
	probe     bool         // the caller ranks what is found
	k, ef, n  int          // n: elements searched among
	own       filter
	filter    *filter   // own, or nil
	began     uint64    // the epoch
	keys      []key     // found without a walk
	exact     bool      // every allowed row was scored for them
	collector collector // of the walk; nil: there is none
}

// start sets what the search among the first n elements, which begins at an epoch, is about, and returns the least
// number of elements that may be returned and that a walk has to meet before it ends.
func (t *task) start(k, n int, epoch uint64) (least int) {
	t.began, t.n, t.k = epoch, n, min(k, n)
	t.ef = min(max(cmp.Or(t.o.Ef, request.DefaultEf), t.k), n)
	if t.o.Filter != nil {
		t.own = filter{(*labelset.Set)(t.o.Filter), t.resolved.at(epoch)}
		t.filter = &t.own
	}
	if t.o.Stop == nil {
		return t.ef
	}
	return max(t.ef, (*stop.Rule)(t.o.Stop).Condition().Begin(t.ef))
}

// prepare does all of a search among the first n elements that comes before its walk.
func (r *Reader) prepare(s *searcher, k int, entry uint64, n int) {
	t := &s.task
	least := t.start(k, n, r.epoch.Load()&^1) // odd: a row is being rewritten now, so look again at the end
	s.copies.held = s.copies.held[:0]
	plain := t.o.Stop == nil && t.o.Filter == nil && r.removed.Load() == 0
	if t.o.Exact || !plain && r.exactIsCheaper(s, s.g, t.filter, least, n) {
		t.exact = true
		if t.o.Stop != nil {
			s.filtered.reset(s.g, t.ef, t.filter, t.o.Stop)
			s.scan(s.g, n, nil, &s.filtered) // which asks the filter itself
			t.keys = s.filtered.sorted()
			return
		}
		wanted := t.k
		if t.probe {
			wanted = t.ef // by codes, perhaps: the caller ranks them
		}
		t.keys = s.exact(s.g, n, t.filter, wanted)
		return
	}
	if t.o.Stop == nil { // stop conditions are promised exact distances
		s.steerByCodes(s.rows.Query())
	}
	from := s.descend(s.g, entry, 0)
	if plain {
		s.pool.reset(t.ef)
		if t.o.Slack > 0 && r.cfg.scalable() {
			s.pool.slack, s.pool.k = 1+t.o.Slack, max(t.k, 1)
		}
		s.pool.copies = s.copyFilter()
		t.collector = &s.pool
	} else {
		s.filtered.reset(s.g, t.ef, t.filter, t.o.Stop)
		if t.o.Stop == nil { // it gets each result
			s.filtered.copies = s.copyFilter()
		}
		t.collector = &s.filtered
	}
	s.reset(s.g, 0)
	s.enter(from, t.collector)
}

// conclude does all of a search that comes after its walk.
func (r *Reader) conclude(s *searcher) []search.Neighbor {
	t := &s.task
	keys := t.keys
	if t.collector != nil {
		keys = s.ranked()
		if len(s.copies.held) > 0 {
			keys = s.withCopies(keys)
		}
	}
	if t.o.Stop == nil && t.collector != nil && len(keys) < t.k && r.hasMore(t.filter, len(keys)) {
		keys = s.exhaust()
	}
	if t.o.Stop == nil && len(keys) > t.k {
		keys = keys[:lastTie(keys, t.k)]
	}
	if t.o.Stats != nil {
		*t.o.Stats = s.stats()
	}
	found := s.resolve(r, s.g, keys)
	if t.o.Stop != nil {
		return finish((*stop.Rule)(t.o.Stop).Condition(), found)
	}
	return found[:min(len(found), t.k)]
}

// hasMore reports whether there may be more than n elements that a search may return.
func (r *Reader) hasMore(f *filter, n int) bool {
	return f != nil || r.Len()-r.Deleted() > n
}

// exhaust does the search once more by all rows.
func (s *searcher) exhaust() []key {
	t := &s.task
	t.exact = true
	s.scorer, s.beam = s.rows, rowBeam
	return s.exact(s.g, t.n, t.filter, t.k)
}

// ranked returns what the walk has found, at exact distances if there are rows to compute them from.
func (s *searcher) ranked() []key {
	keys := s.walked()
	if s.scorer == s.rows {
		return keys
	}
	return s.rerank(keys, s.task.k, s.task.o.Rerank)
}

// walked returns what the walk has found, nearest first by the distances that the walk has read, or by those that the
// search returns if there are no rows.
func (s *searcher) walked() []key {
	keys := s.pool.keys
	if s.task.collector == &s.filtered {
		keys = s.filtered.sorted()
	}
	if s.coder != nil && s.coder.squared && !s.keepsRows() {
		s.tellSquared(keys)
	}
	return keys
}

// tellSquared puts squared distances of codes in the place of those by which a walk found them, which are rounded.
func (s *searcher) tellSquared(keys []key) {
	codes := s.codes.(*pq.Scorer)
	for i, k := range keys {
		keys[i] = keyOf(codes.Exact(k.id()), k.id())
	}
	slices.Sort(keys)
}

// stats says what the search did so far.
func (s *searcher) stats() search.Stats {
	st := search.Stats{Distances: s.scored, Reranked: s.reranked, Exact: s.task.exact, Probes: 1}
	if s.task.collector != nil {
		st.Hops = s.hops
	}
	return st
}

// lastTie returns the number of keys up to the last one that is as near as the k-th, so that ties can be broken by
// label.
func lastTie(keys []key, k int) int {
	for k < len(keys) && keys[k]>>32 == keys[k-1]>>32 {
		k++
	}
	return k
}

// resolve turns keys into sorted results. If a row was rewritten since the search began, the distances, labels and
// marks are read once more, all of one moment.
func (s *searcher) resolve(r *Reader, g *graph, keys []key) []search.Neighbor {
	for {
		s.results = s.results[:0]
		now := r.epoch.Load()
		if now == s.task.began {
			for _, k := range keys {
				s.results = append(s.results, search.Neighbor{Label: g.label(k.id()), Distance: k.distance()})
			}
		} else if now&1 == 0 {
			s.rescore(g, keys)
		}
		if now&1 == 0 && r.epoch.Load() == now {
			break
		}
		runtime.Gosched()
	}
	if r.cfg.Metric == vector.Cosine || r.cfg.Metric == vector.L2 && !r.cfg.keepsRows() {
		for i := range s.results {
			s.results[i].Distance = max(s.results[i].Distance, 0) // rounding and estimating may take it below
		}
	}
	slices.SortFunc(s.results, func(a, b search.Neighbor) int {
		if c := cmp.Compare(keyOf(a.Distance, 0), keyOf(b.Distance, 0)); c != 0 {
			return c
		}
		return cmp.Compare(a.Label, b.Label)
	})
	return s.results
}

// rescore makes results of the keys whose elements may be returned now, at their present distances.
func (s *searcher) rescore(g *graph, keys []key) {
	s.task.own.elements = nil // labels may have moved to other elements
	for len(keys) > 0 {
		n := min(len(s.dist), len(keys))
		ids := s.ids[:0]
		for _, k := range keys[:n] {
			if g.allowed(k.id(), s.task.filter) {
				ids = append(ids, k.id())
			}
		}
		s.rows.Score(ids, s.dist)
		for i, id := range ids {
			s.results = append(s.results, search.Neighbor{Label: g.label(id), Distance: s.dist[i]})
		}
		keys = keys[n:]
	}
}
