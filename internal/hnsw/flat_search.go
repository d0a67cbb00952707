package hnsw

import (
	"context"

	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// Search gives the k elements nearest to query (dim values), nearest first, ties by smaller label. Options.Ef has no
// meaning here; a stop condition is told of every element.
func (f *Flat) Search(query []float32, k int, o search.Options) ([]search.Neighbor, error) {
	return f.SearchInto(make([]search.Neighbor, 0, max(min(k, f.Len()), 0)), query, k, o)
}

// SearchInto is Search that appends the results to dst. With room in dst it doesn't allocate.
func (f *Flat) SearchInto(dst []search.Neighbor, query []float32, k int, o search.Options) ([]search.Neighbor, error) {
	return f.searchInto(dst, query, k, &task{o: o})
}

// searchInto does a search of which the task holds the options.
func (f *Flat) searchInto(dst []search.Neighbor, query []float32, k int, t *task) ([]search.Neighbor, error) {
	found, calm, err := f.attempt(dst, query, k, t)
	if err != nil || calm {
		return found, err
	}
	f.change.RLock() // rows have moved meanwhile: once more, while changes wait
	defer f.change.RUnlock()
	found, _, err = f.attempt(dst, query, k, t)
	return found, err
}

// attempt searches once and reports whether no stored row changed meanwhile.
func (f *Flat) attempt(dst []search.Neighbor, query []float32, k int, of *task) ([]search.Neighbor, bool, error) {
	began, n := f.epoch.Load(), f.Len()
	s, err := f.begin(query, k, &of.o)
	if err != nil {
		return dst, false, err
	}
	defer f.end(s)
	s.task = *of
	t := &s.task
	t.start(k, min(n, s.g.capacity), began)
	if t.o.Stop == nil {
		t.keys = s.exact(s.g, t.n, t.filter, t.k)
	} else {
		s.filtered.reset(s.g, t.n, t.filter, t.o.Stop)
		s.scan(s.g, t.n, nil, &s.filtered) // which asks the filter itself
		t.keys = s.filtered.sorted()
	}
	t.exact = true
	if t.o.Stats != nil {
		*t.o.Stats = s.stats()
	}
	found := s.resolve(&f.Reader, s.g, t.keys)
	if t.o.Stop != nil {
		found = t.o.Stop.Finish(found)
	}
	if began&1 != 0 || f.epoch.Load() != began {
		return dst, false, nil
	}
	return append(dst, found...), true, nil
}

// SearchBatch searches for the rows of queries. An error names the first row that failed.
func (f *Flat) SearchBatch(ctx context.Context, queries vector.Matrix, k int, o search.Options) (*search.Results, error) {
	return f.searchBatch(ctx, f, queries, k, o)
}

// SearchBatchInto is SearchBatch that writes to out, which has room for out.K elements a query.
func (f *Flat) SearchBatchInto(ctx context.Context, queries vector.Matrix, out *search.Results, o search.Options) error {
	return f.searchBatchInto(ctx, f, queries, out, o)
}
