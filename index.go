package shale

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/hnsw"
	"github.com/shale-search/shale/store/manifest"
)

// Index is a set of labelled vectors that can be searched. Its methods may be called from many goroutines at once.
type Index struct {
	graph *hnsw.Index
	tuned atomic.Pointer[manifest.Tuned]

	saving     sync.Mutex // guards what follows
	home       string     // directory that it was opened from or saved to
	generation int        // of what lies there, as far as this index knows
}

// defaultEf is what searches use where nothing was tuned.
const defaultEf = hnsw.DefaultEf

// SearchOptions says how to search. The zero value searches everything with the index's own ef.
type SearchOptions struct {
	Ef     int          // rows looked at more closely: more find more and take longer; raised to k; default that of Index.Effort
	Filter *Filter      // labels that may be returned; default all
	Stats  *SearchStats // filled in, if not nil
	// Rerank is the number of candidates found by codes that are ranked by their rows, at least k; default: as many as may
	// be among the k nearest, by the error bound of their estimates.
	// Where no rows are kept it has no meaning.
	Rerank int
	// Slack ends a search early, at the first candidate whose distance is more than 1 + Slack times that of the k-th; ef
	// bounds it still. Not for ip. About 0.05 to 0.25; default: that of Index.Effort where Ef is left to it
	// too, else searches go on as long as ef says.
	Slack float32
}

func (x *Index) options(o SearchOptions) hnsw.SearchOptions {
	if o.Ef <= 0 {
		tuned := x.Effort()
		o.Ef = tuned.Ef
		if o.Slack == 0 {
			o.Slack = tuned.Slack
		}
	}
	return hnsw.SearchOptions{Ef: o.Ef, Filter: o.Filter, Stats: o.Stats, Rerank: o.Rerank, Slack: o.Slack}
}

// Search gives the k vectors nearest to query, nearest first, ties by smaller label; fewer where there are fewer.
func (x *Index) Search(query []float32, k int, o SearchOptions) ([]Neighbor, error) {
	return x.graph.Search(query, k, x.options(o))
}

// SearchInto is Search that appends the results to dst. With room in dst it doesn't allocate.
func (x *Index) SearchInto(dst []Neighbor, query []float32, k int, o SearchOptions) ([]Neighbor, error) {
	return x.graph.SearchInto(dst, query, k, x.options(o))
}

// Results holds what a batch of queries found: K labels and distances a query, nearest first, filled up with NoLabel and
// +Inf.
type Results = hnsw.Results

// NoLabel stands in Results where nothing was found.
const NoLabel = hnsw.NoLabel

// SearchBatch searches for the rows of queries on so many threads, 0 meaning GOMAXPROCS.
func (x *Index) SearchBatch(ctx context.Context, queries Matrix, k, threads int, o SearchOptions) (*Results, error) {
	return x.graph.SearchBatch(ctx, queries, k, hnsw.BatchSearchOptions{SearchOptions: x.options(o), Threads: threads})
}

// Add puts a vector in under a label. A label that is there already gets the new vector.
func (x *Index) Add(label uint64, vector []float32) error {
	return x.graph.Add(label, vector, hnsw.AddOptions{})
}

// AddOptions says how to add many rows.
type AddOptions struct {
	Labels   []uint64       // one a row; default: counted on from the largest label there is
	Threads  int            // default GOMAXPROCS
	Progress func(done int) // told the number of rows added now and then, from one goroutine at a time
}

// AddBatch adds rows. Labels that are there already get the new vectors. After an error, or when ctx ends, some rows may
// have been added; NaN and infinity are refused beforehand.
func (x *Index) AddBatch(ctx context.Context, rows Matrix, o AddOptions) error {
	if o.Labels == nil && rows.Rows() > 0 {
		var err error
		if o.Labels, err = x.nextLabels(rows.Rows()); err != nil {
			return err
		}
	}
	return x.graph.AddBatch(ctx, rows, o.Labels, hnsw.BatchOptions{Threads: o.Threads, Progress: o.Progress})
}

// nextLabels gives n labels that follow the largest one.
func (x *Index) nextLabels(n int) ([]uint64, error) {
	first := uint64(0)
	if x.graph.Len() > 0 {
		there, err := x.graph.Labels()
		if err != nil {
			return nil, err
		}
		last := slices.Max(there)
		if last > math.MaxUint64-1-uint64(n) {
			return nil, fmt.Errorf("no %d labels follow %d, the largest: give labels", n, last)
		}
		first = last + 1
	}
	labels := make([]uint64, n)
	for i := range labels {
		labels[i] = first + uint64(i)
	}
	return labels, nil
}

// maxTold is the number of labels that an error of Delete names.
const maxTold = 10

// Delete makes searches pass over labels. Those that are unknown or deleted already are told in the error; the others
// are deleted all the same.
func (x *Index) Delete(labels ...uint64) error {
	var errs []error
	failed := 0
	for _, l := range labels {
		if err := x.graph.Delete(l); err != nil {
			if failed++; failed <= maxTold {
				errs = append(errs, err)
			}
		}
	}
	if failed > maxTold {
		errs = append(errs, fmt.Errorf("and %d more", failed-maxTold))
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

// Reorder renumbers the rows within the index for searches to be faster, as Build does. It is meant for an index that has
// just been filled: searches that begin meanwhile get ErrClosed, and while others are under way it gives hnsw.ErrBusy.
func (x *Index) Reorder() error {
	if err := x.graph.Reorder(); err != nil {
		return fmt.Errorf("reorder: %w", err)
	}
	return nil
}
