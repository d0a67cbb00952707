package hnsw

import (
	"context"

	"github.com/shale-search/shale/vector"
)

// Search gives the k elements nearest to query (dim values), nearest first, ties by smaller label. Options.Ef has no
// meaning here; a stop condition is told of every element.
func (f *Flat) Search(query []float32, k int, o SearchOptions) ([]Neighbor, error) {
	return f.SearchInto(make([]Neighbor, 0, max(min(k, f.Len()), 0)), query, k, o)
}

// SearchInto is Search that appends the results to dst. With room in dst it doesn't allocate.
func (f *Flat) SearchInto(dst []Neighbor, query []float32, k int, o SearchOptions) ([]Neighbor, error) {
	found, calm, err := f.attempt(dst, query, k, &o)
	if err != nil || calm {
		return found, err
	}
	f.change.RLock() // rows have moved meanwhile: once more, while changes wait
	defer f.change.RUnlock()
	found, _, err = f.attempt(dst, query, k, &o)
	return found, err
}

// attempt searches once and reports whether no stored row changed meanwhile.
func (f *Flat) attempt(dst []Neighbor, query []float32, k int, o *SearchOptions) ([]Neighbor, bool, error) {
	began, n := f.epoch.Load(), f.Len()
	s, err := f.begin(query, k, o)
	if err != nil {
		return dst, false, err
	}
	defer f.end(s)
	n = min(n, s.g.capacity)
	filter := o.Filter.at(began)
	var keys []key
	if o.Stop == nil {
		keys = s.exact(s.g, n, filter, min(k, n))
	} else {
		s.filtered.reset(s.g, n, filter, o.Stop)
		s.scan(s.g, n, nil, &s.filtered) // which asks the filter itself
		keys = s.filtered.sorted()
	}
	if o.Stats != nil {
		*o.Stats = SearchStats{Distances: s.scored, Exact: true}
	}
	found := s.resolve(&f.Reader, s.g, keys, o.Filter.byLabel(), began)
	if o.Stop != nil {
		found = o.Stop.Finish(found)
	}
	if began&1 != 0 || f.epoch.Load() != began {
		return dst, false, nil
	}
	return append(dst, found...), true, nil
}

// SearchBatch searches for the rows of queries. An error names the first row that failed.
func (f *Flat) SearchBatch(ctx context.Context, queries vector.Matrix, k int, o BatchSearchOptions) (*Results, error) {
	return f.searchBatch(ctx, f, queries, k, o)
}

// SearchBatchInto is SearchBatch that writes to out, which has room for out.K elements a query.
func (f *Flat) SearchBatchInto(ctx context.Context, queries vector.Matrix, out *Results, o BatchSearchOptions) error {
	return f.searchBatchInto(ctx, f, queries, out, o)
}
