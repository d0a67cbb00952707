package shard

import (
	"math"

	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/search"
)

// A search that has found fewer than k rows is repeated over all rows of all shards that it may search, because the
// probed shards may hold too few rows, and a walk may not reach all of them.

// complete adds results until there are as many as the search must return. A search within a distance must return none:
// whoever knows k rows that near needs no others.
func (l *lane) complete(query []float32, k int, o *search.Options) error {
	if len(l.found) >= l.wanted(o) || !math.IsInf(float64(l.walks.within), 1) || l.exhausted(o) {
		return nil
	}
	all := *o
	all.Probes, all.Exact = len(l.x.parts), true
	before := l.stats
	if err := l.find(query, k, &all); err != nil {
		return err
	}
	request.Add(&l.stats, &before)
	return nil
}

// wanted returns the number of results that a search without a filter must return.
func (l *lane) wanted(o *search.Options) int {
	if o.Shards == nil {
		return min(l.k, l.x.Len())
	}
	n := 0
	for _, p := range l.parts {
		n += l.x.part(p).Len() - l.x.part(p).Deleted()
	}
	return min(l.k, n)
}

// exhausted reports whether the search has looked at every row that it may return.
func (l *lane) exhausted(o *search.Options) bool {
	if o.Shards == nil && len(l.parts) < len(l.x.all()) {
		return false
	}
	for _, p := range l.probes {
		if !p.Stats().Exact {
			return false
		}
	}
	return true
}
