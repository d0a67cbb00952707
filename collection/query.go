package collection

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/internal/payload"
	"github.com/shale-search/shale/internal/workers"
	"github.com/shale-search/shale/search"
)

// Query asks for the documents nearest to vectors. The zero value of a field but Near and Like means its default.
type Query struct {
	Vector string      // name of the vector to compare; may be left out if there is only one
	Near   [][]float32 // the queries; each gets results of its own
	Like   []ID        // more queries, after those of Near: the vectors of these documents, which aren't found themselves
	K      int         // documents to return for each; default 10
	Offset int         // nearest documents to leave out before those
	// MaxDistance is the largest distance of a document that is returned; nil: any.
	MaxDistance *float32
	// GroupBy is a field of payloads, as in a Filter. If it isn't empty, K and Offset count groups: of
	// documents with the same string, number or boolean there. The hits of a group follow each other, nearest first, and
	// the group with the nearest hit is the first. A document with several values is in several groups, and one without is
	// in none.
	GroupBy   string
	GroupSize int         // documents of a group to return; default 3
	Ef        int         // see search.Options
	Exact     bool        // compute all distances
	Filter    Filter      // which documents may be returned; zero: all
	Stats     *QueryStats // is filled in with what the query did, if not nil
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
	for i, near := range q.Near {
		if err := c.schema.Vectors[s.vector].checkValues(near); err != nil {
			return nil, invalidf("query %d: %w", i, err)
		}
	}
	if err := errors.Join(s.setCounts(), s.addLike()); err != nil {
		return nil, err
	}
	if err := s.choose(ctx); err != nil {
		return nil, err
	}
	slices.SortStableFunc(s.parts, func(a, b searchedView) int { return cmp.Compare(b.size(), a.size()) })
	return s.run(ctx)
}

// searcher answers the queries of one call.
type searcher struct {
	*reading
	Query
	vector int
	group  payload.Path
	own    []uint64 // of each query: the number of the document whose vector it is, or noDocument
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
			hits[i], err = s.answer(i)
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

// answer answers a query.
func (s *searcher) answer(i int) ([]Hit, error) {
	if s.GroupBy != "" {
		return s.groups(i)
	}
	found, err := s.nearest(i, s.Offset+s.K)
	if err != nil {
		return nil, err
	}
	found = found[min(s.Offset, len(found)):]
	hits := make([]Hit, 0, len(found))
	for _, n := range found {
		d, err := s.document(n.Label, s.Fields)
		if err != nil {
			return nil, err
		}
		hits = append(hits, Hit{Document: d, Distance: n.Distance})
	}
	return hits, nil
}

// nearest returns the k nearest documents of a query: one segment after another is asked for what may still be among
// them, the largest first.
func (s *searcher) nearest(i, k int) ([]search.Neighbor, error) {
	var found []search.Neighbor
	q := viewSearch{
		vector: s.vector, query: s.Near[i], k: k, next: s.reading.next, within: float32(math.Inf(1)),
		options: search.Options{Ef: s.Ef, Exact: s.Exact},
	}
	if s.own[i] != noDocument {
		q.k++ // it finds itself
	}
	for _, v := range s.parts {
		var err error
		q.options.Filter, q.matches = v.filter, v.matches
		if found, err = v.search(found, &q); err != nil {
			return nil, err
		}
		slices.SortFunc(found, func(a, b search.Neighbor) int {
			return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Label, b.Label))
		})
		if len(found) >= q.k {
			found = found[:q.k]
			q.within = found[q.k-1].Distance
		}
	}
	if s.failed(nil) { // a payload couldn't be read
		return nil, s.err
	}
	found = slices.DeleteFunc(found, func(n search.Neighbor) bool { return n.Label == s.own[i] })
	found = found[:min(k, len(found))]
	if s.MaxDistance != nil {
		end := slices.IndexFunc(found, func(n search.Neighbor) bool { return n.Distance > *s.MaxDistance })
		if end >= 0 {
			found = found[:end]
		}
	}
	return found, nil
}

// matches reports whether a document may be returned.
func (s *searcher) matches(n uint64) bool {
	d, err := s.document(n, Fields{Payload: true})
	if s.failed(err) {
		return false
	}
	return s.Match(d.ID, d.Payload)
}
