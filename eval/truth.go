// Package eval measures how good and how fast searches are. It finds true neighbours ([GroundTruth]), measures recall
// and speed over a range of ef ([Sweep]), and finds the fastest settings that reach a recall ([Tune]).
package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/shale-search/shale/internal/exact"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// Truth holds the true nearest neighbours of a set of queries. Results are judged by it: a result counts as right if it
// is one of the k true neighbours, or as near as the k-th.
type Truth struct {
	Labels    [][]uint64  // of each query, nearest first
	Distances [][]float32 // of each query; if nil, Sweep and Tune ask the index for them
}

// GroundTruth finds the k rows nearest to each query by comparing every row. Rows have the labels 0, 1, 2 and so on. If
// threads is 0 it uses GOMAXPROCS threads.
func GroundTruth(ctx context.Context, rows, queries vector.Matrix, metric vector.Metric,
	k, threads int) (*Truth, error) {
	if metric == score.Custom {
		return nil, errors.New("eval: the function of a custom metric is known to the index alone: use IndexTruth")
	}
	return exactly(queries, metric, k, threads, func(e *exact.Search) error {
		return e.Add(ctx, rows, func(i int) (uint64, bool) { return uint64(i), true })
	})
}

// exactly returns the truth about the rows that add adds to a search.
func exactly(queries vector.Matrix, metric vector.Metric, k, threads int,
	add func(*exact.Search) error) (*Truth, error) {
	e, err := exact.New(queries, metric, k, threads)
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	if err := add(e); err != nil {
		return nil, fmt.Errorf("ground truth: %w", err)
	}
	labels, distances := e.Nearest()
	return &Truth{Labels: labels, Distances: distances}, nil
}

// checkFor returns an error if t can't judge the results of n queries.
func (t *Truth) checkFor(n int) error {
	if len(t.Labels) != n {
		return fmt.Errorf("eval: true neighbours of %d queries for %d queries", len(t.Labels), n)
	}
	for q, labels := range t.Labels {
		if len(labels) == 0 {
			return fmt.Errorf("eval: query %d has no true neighbours", q)
		}
	}
	return nil
}

// shortTruthError reports that recall@K can't be measured, since too few true neighbours of a query are known.
type shortTruthError struct {
	Query int // number of the query
	Known int // true neighbours known
	K     int // true neighbours needed
}

func (e *shortTruthError) Error() string {
	return fmt.Sprintf("query %d has %d known true neighbours, and recall@%d needs %d: "+
		"measure with a k of %d, or find more true neighbours",
		e.Query, e.Known, e.K, e.K, e.Known)
}

// covers returns a *shortTruthError if t has fewer than k neighbours of a query, or, if the index has fewer than k
// rows, fewer than rows.
func (t *Truth) covers(k, rows int) error {
	for q, labels := range t.Labels {
		if len(labels) < min(k, rows) {
			return &shortTruthError{Query: q, Known: len(labels), K: k}
		}
	}
	return nil
}

// tieTolerance is the relative difference up to which two distances are equal. Sums of the same float32 numbers in
// another order differ by about as much.
const tieTolerance = 1e-6

// hits returns how many of query q's k true neighbours are in found, and how many there are to find: k, or fewer if t
// has fewer. A result at the distance of the k-th neighbour counts as a hit, because either could be the k-th.
func (t *Truth) hits(q int, found []search.Neighbor, k int) (hits, of int) {
	labels := t.Labels[q]
	k = min(k, len(labels))
	for _, n := range found[:min(k, len(found))] {
		if slices.Contains(labels[:k], n.Label) || t.ties(q, k, n.Distance) {
			hits++
		}
	}
	return hits, k
}

// ties reports whether d equals the distance of query q's k-th neighbour.
func (t *Truth) ties(q, k int, d float32) bool {
	if q >= len(t.Distances) || k > len(t.Distances[q]) {
		return false
	}
	last := float64(t.Distances[q][k-1])
	return math.Abs(float64(d)-last) <= tieTolerance*math.Max(math.Abs(last), 1e-3)
}
