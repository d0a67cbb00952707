package shale

import (
	"context"
	"errors"
	"fmt"

	"github.com/shale-search/shale/hnsw"
)

// Index is a set of labelled vectors that can be searched. Its methods may be called from many goroutines at once.
type Index struct {
	graph   *hnsw.Index
	threads int
}

// SearchOptions says how to search.
type SearchOptions struct {
	Ef     int          // rows looked at more closely: more find more and take longer; raised to k; default 100
	Filter *Filter      // labels that may be returned; default all
	Stats  *SearchStats // filled in, if not nil
}

// Search gives the k vectors nearest to query, nearest first, ties by smaller label; fewer where there are fewer.
func (x *Index) Search(query []float32, k int, o SearchOptions) ([]Neighbor, error) {
	return x.graph.Search(query, k, hnsw.SearchOptions{Ef: o.Ef, Filter: o.Filter, Stats: o.Stats})
}

// SearchInto is Search that appends the results to dst. With room in dst it doesn't allocate.
func (x *Index) SearchInto(dst []Neighbor, query []float32, k int, o SearchOptions) ([]Neighbor, error) {
	return x.graph.SearchInto(dst, query, k, hnsw.SearchOptions{Ef: o.Ef, Filter: o.Filter, Stats: o.Stats})
}

// Add puts a vector in under a label. A label that is there already gets the new vector.
func (x *Index) Add(label uint64, vector []float32) error {
	return x.graph.Add(label, vector, hnsw.AddOptions{})
}

// AddBatch adds rows under labels, one each, on all processors. If labels is nil, they are counted on from Len.
func (x *Index) AddBatch(ctx context.Context, rows Matrix, labels []uint64) error {
	return x.graph.AddBatch(ctx, rows, labels, hnsw.BatchOptions{Threads: x.threads})
}

// Delete makes searches pass over labels. Those that are unknown or deleted already are told in the error; the others
// are deleted all the same.
func (x *Index) Delete(labels ...uint64) error {
	var errs []error
	for _, l := range labels {
		if err := x.graph.Delete(l); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 10 {
		errs = append(errs[:10], fmt.Errorf("and %d more", len(errs)-10))
	}
	return errors.Join(errs...)
}

// Len is the number of vectors that a search may find.
func (x *Index) Len() int { return x.graph.Len() - x.graph.Deleted() }

// Dim is the number of values a vector.
func (x *Index) Dim() int { return x.graph.Dim() }

// Metric is how distances are computed.
func (x *Index) Metric() Metric { return x.graph.Metric() }

// Graph is what lies beneath, for what this package has no words for.
func (x *Index) Graph() *hnsw.Index { return x.graph }

// Close frees the index's memory, once the searches under way have ended. A closed index answers ErrClosed.
func (x *Index) Close() error { return x.graph.Close() }
