package collection

import (
	"context"
	"sync"

	"github.com/shale-search/shale/search"
)

// QueryStats says what a query did.
type QueryStats struct {
	// Allowed is the number of documents that satisfy the filter. Of those whose payloads weren't all read it counts the
	// ones that may.
	Allowed int `json:"allowed"`
	// Scanned are the fields of the filter that no payload index answers, so that payloads were read.
	Scanned []string `json:"scanned,omitempty"`
}

// searchedView is a view with what a query may return of it.
type searchedView struct {
	view
	filter  *search.Filter           // of the rows; nil: matches and the dead decide
	matches func(number uint64) bool // nil: all that aren't dead
}

// mostScanned is how many payloads a query reads before it searches, so that it knows which documents are allowed. Of
// more it reads only those that the search comes across.
const mostScanned = 2000

// choose sets the views that are to be searched, and how.
func (s *searcher) choose(ctx context.Context) error {
	var matches func(uint64) bool
	if s.Match != nil {
		matches = s.matches
	}
	if s.Filter.isAll() {
		if s.Stats != nil {
			s.Stats.Allowed = int(s.documents)
		}
		for _, v := range s.views {
			s.parts = append(s.parts, searchedView{view: v, matches: matches})
		}
		return nil
	}
	f, err := s.reading.filter(ctx, s.Filter)
	if err != nil {
		return err
	}
	if f.undecided() <= mostScanned || s.Exact {
		if err := f.settle(ctx); err != nil {
			return err
		}
	}
	if s.Stats != nil {
		*s.Stats = QueryStats{int(f.count() + f.undecided()), f.scanned}
	}
	if f.undecided() > 0 {
		s.chooseByPayload(f)
		return nil
	}
	for _, v := range s.views {
		set := f.allowed(v.First, v.End)
		if set == nil {
			continue
		}
		p := searchedView{view: v, filter: (*search.Filter)(set), matches: set.Contains}
		if s.Match != nil {
			p.filter, p.matches = nil, func(n uint64) bool { return set.Contains(n) && s.matches(n) }
		}
		s.parts = append(s.parts, p)
	}
	return nil
}

// chooseByPayload lets the searches read the payloads of documents of which indexes don't know whether they satisfy the
// filter.
func (s *searcher) chooseByPayload(f *filtering) {
	var known sync.Map // number → whether the filter holds
	matches := func(n uint64) bool {
		sure, maybe := f.answerOf(n)
		if sure || !maybe {
			return sure
		}
		if holds, ok := known.Load(n); ok {
			return holds.(bool)
		}
		doc, err := get(s.snapshot, keyOfNumber(payloadKey, n))
		if s.failed(err) {
			return false
		}
		holds, err := f.holds(n, doc)
		if s.failed(err) {
			return false
		}
		known.Store(n, holds)
		return holds
	}
	for _, v := range s.views {
		p := searchedView{view: v, matches: matches}
		if s.Match != nil {
			p.matches = func(n uint64) bool { return matches(n) && s.matches(n) }
		}
		s.parts = append(s.parts, p)
	}
}
