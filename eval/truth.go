// Package eval says how good and how fast a search is: true neighbours, recall, sweeps over ef, and the smallest ef that
// reaches a recall.
package eval

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/shale-search/shale"
)

// Truth holds the true nearest neighbours of a set of queries, nearest first.
type Truth struct {
	Labels    [][]uint64
	Distances [][]float32 // nil where not known
}

// GroundTruth finds the k nearest of rows, labelled 0, 1, …, to each query.
func GroundTruth(ctx context.Context, rows, queries shale.Matrix, metric shale.Metric, k, threads int) (*Truth, error) {
	e, err := NewExact(queries, metric, k, threads)
	if err != nil {
		return nil, err
	}
	if err := e.Add(ctx, rows, func(i int) (uint64, bool) { return uint64(i), true }); err != nil {
		return nil, fmt.Errorf("ground truth: %w", err)
	}
	return e.Truth(), nil
}

// checkFor reports whether t can judge the results of n queries.
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

// ShortTruthError reports a query of which fewer true neighbours are known than its recall is to be measured by.
type ShortTruthError struct {
	Query, Known, K int
}

func (e *ShortTruthError) Error() string {
	return fmt.Sprintf("query %d has %d known true neighbours, and recall@%d needs %d: "+
		"measure with a k of %d, or find more true neighbours",
		e.Query, e.Known, e.K, e.K, e.Known)
}

// Covers returns a *ShortTruthError if t knows fewer than k neighbours of a query, of an index of rows rows: all of
// them where there are fewer than k.
func (t *Truth) Covers(k, rows int) error {
	for q, labels := range t.Labels {
		if len(labels) < min(k, rows) {
			return &ShortTruthError{Query: q, Known: len(labels), K: k}
		}
	}
	return nil
}

// tieTolerance is the relative difference up to which two distances are one: float32 sums of the same numbers in another
// order differ by about as much.
const tieTolerance = 1e-6

// Hits is the number of query q's k nearest neighbours that found holds, of so many. A result that isn't among them counts
// if it is exactly as near as the k-th, which it then might as well have been. Where fewer than k are known, those are
// asked for: the caller knows that there are no more, by Covers or by a filter.
func (t *Truth) Hits(q int, found []shale.Neighbor, k int) (hits, of int) {
	labels := t.Labels[q]
	k = min(k, len(labels))
	for _, n := range found[:min(k, len(found))] {
		if slices.Contains(labels[:k], n.Label) || t.ties(q, k, n.Distance) {
			hits++
		}
	}
	return hits, k
}

// ties reports whether d is the distance of query q's k-th neighbour.
func (t *Truth) ties(q, k int, d float32) bool {
	if q >= len(t.Distances) || k > len(t.Distances[q]) {
		return false
	}
	last := float64(t.Distances[q][k-1])
	return math.Abs(float64(d)-last) <= tieTolerance*math.Max(math.Abs(last), 1e-3)
}
