package collection

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/internal/payload"
	"github.com/shale-search/shale/internal/workers"
	"github.com/shale-search/shale/search"
)

// Query asks for the documents nearest to vectors. The zero value of a field but Near means its default.
type Query struct {
	Vector string      // name of the vector to compare; may be left out if there is only one
	Near   [][]float32 // the queries; each gets results of its own
	K      int         // documents to return for each; default 10
	Ef     int         // see search.Options
	Exact  bool        // compute all distances
	// Filter decides by payloads which documents may be returned; nil: all.
	Filter *payload.Filter
	Stats  *QueryStats // is filled in with what the query did, if not nil
	// Match decides by ID and payload which documents may be returned; nil: all. It may be called from many goroutines at
	// once, and must not keep the payload.
	Match   func(id ID, payload json.RawMessage) bool
	Threads int // goroutines that share the queries; default GOMAXPROCS
	Fields
}

const defaultK = 10

// Query returns the documents found for each of the queries, nearest first. All are of one state of the collection.
func (c *Collection) Query(ctx context.Context, q Query) (hits [][]Hit, err error) {
	r, err := c.read()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.end()) }()
	s := &searcher{reading: r, Query: q}
	if q.Stats != nil {
		*q.Stats = QueryStats{}
	}
	if s.vector, err = c.schema.find(q.Vector); err != nil {
		return nil, err
	}
	if q.K < 0 {
		return nil, invalidf("k is %d, below 0", q.K)
	}
	s.K = min(cmp.Or(q.K, defaultK), max(1, int(r.documents)))
	for i, near := range q.Near {
		if _, err := c.schema.Vectors[s.vector].prepare(near); err != nil {
			return nil, invalidf("query %d: %w", i, err)
		}
	}
	if err := s.choose(ctx); err != nil {
		return nil, err
	}
	return s.run(ctx)
}

// searcher answers the queries of one call.
type searcher struct {
	*reading
	Query
	vector int
	parts  []searchedView
	taken  atomic.Int64 // queries that a goroutine has taken

	mu  sync.Mutex
	err error // the first
}

func (s *searcher) run(ctx context.Context) ([][]Hit, error) {
	hits := make([][]Hit, len(s.Near))
	workers.Run(workers.Threads(s.Threads, len(s.Near)), hits, func(hits [][]Hit) {
		for {
			i := int(s.taken.Add(1)) - 1
			if i >= len(hits) || s.failed(ctx.Err()) {
				return
			}
			var err error
			hits[i], err = s.one(s.Near[i])
			s.failed(err)
		}
	})
	if s.failed(nil) {
		return nil, s.err
	}
	return hits, nil
}

// failed keeps an error, and reports whether there has been one.
func (s *searcher) failed(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	return s.err != nil
}

// one answers a query: every segment finds its nearest, and all are ranked together.
func (s *searcher) one(query []float32) ([]Hit, error) {
	var found []search.Neighbor
	o := search.Options{Ef: s.Ef, Exact: s.Exact}
	for _, v := range s.parts {
		var err error
		o.Filter = v.filter
		if found, err = v.search(found, s.vector, query, s.K, o, s.reading.next, v.matches); err != nil {
			return nil, err
		}
	}
	if s.failed(nil) { // a payload couldn't be read
		return nil, s.err
	}
	slices.SortFunc(found, func(a, b search.Neighbor) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Label, b.Label))
	})
	hits := make([]Hit, 0, min(s.K, len(found)))
	for _, n := range found[:cap(hits)] {
		d, err := s.document(n.Label, s.Fields)
		if err != nil {
			return nil, err
		}
		hits = append(hits, Hit{d, n.Distance})
	}
	return hits, nil
}

// matches reports whether a document may be returned.
func (s *searcher) matches(n uint64) bool {
	d, err := s.document(n, Fields{Payload: true})
	if s.failed(err) {
		return false
	}
	return s.Match(d.ID, d.Payload)
}
