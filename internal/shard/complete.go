package shard

import (
	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/search"
)

// A search that has found fewer than k rows is done once more, by all rows of all shards that it may look into: the
// shards probed may hold too few, and a walk may not reach all.

// complete makes the results found so far as many as there must be.
func (l *lane) complete(query []float32, k int, o *search.Options) error {
	if len(l.found) >= l.wanted(o) || l.exhausted(o) {
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

// wanted is the number of results that a search without a filter gives.
func (l *lane) wanted(o *search.Options) int {
	if o.Shards == nil {
		return min(l.k, l.x.Len())
	}
	n := 0
	for _, p := range l.parts {
		n += l.x.parts[p].Len() - l.x.parts[p].Deleted()
	}
	return min(l.k, n)
}

// exhausted reports whether every row was looked at that the search may return.
func (l *lane) exhausted(o *search.Options) bool {
	if o.Shards == nil && len(l.parts) < len(l.x.parts) {
		return false
	}
	for _, p := range l.probes {
		if !p.Stats().Exact {
			return false
		}
	}
	return true
}
