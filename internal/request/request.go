// Package request checks the options of searches and fills in their results.
package request

import (
	"errors"
	"fmt"
	"math"

	"github.com/shale-search/shale/internal/stop"
	"github.com/shale-search/shale/search"
)

// maxK is the largest number of rows of a graph.
const maxK = math.MaxInt32

const (
	// DefaultEf is the Ef of searches in an index that wasn't tuned.
	DefaultEf = 100
	// DefaultShare is the Share of searches in an index that wasn't tuned.
	DefaultShare = 0.98
)

// SetDefaults fills in what o leaves to the index, which is tuned to e.
func SetDefaults(o *search.Options, e search.Effort) {
	if o.Ef != 0 {
		return
	}
	o.Ef = e.Ef
	if o.Slack == 0 {
		o.Slack = e.Slack
	}
	if o.Probes == 0 && o.Share == 0 && o.Shards == nil && o.Filter == nil && o.Filters == nil {
		o.Share = e.Share
	}
}

// Check returns an error if a search of one query for its k nearest rows can't have these options. Numbers above that
// of the rows are allowed: they ask for all rows.
func Check(o *search.Options, k int) error {
	switch {
	case k < 0 || k == 0 && o.Stop == nil || k > maxK:
		return fmt.Errorf("search: k is %d, not at least 1 and at most %d", k, maxK)
	case o.Stop != nil && (*stop.Rule)(o.Stop).Condition() == nil:
		return errors.New("search: the stop condition is empty: Radius and MultiVector make one")
	case o.Ef < 0:
		return fmt.Errorf("search: ef is %d, not at least 0", o.Ef)
	case o.Rerank < 0:
		return fmt.Errorf("search: rerank is %d, not at least 0", o.Rerank)
	case !(o.Slack >= 0 && o.Slack <= math.MaxFloat32):
		return fmt.Errorf("search: slack is %v, not a finite number of at least 0", o.Slack)
	case o.Probes < 0:
		return fmt.Errorf("search: probes are %d, not at least 0", o.Probes)
	case !(o.Share >= 0 && o.Share <= 1):
		return fmt.Errorf("search: a share of %v is not 0 to 1", o.Share)
	case o.Threads < 0:
		return fmt.Errorf("search: %d threads are not at least 0", o.Threads)
	case o.Filters != nil:
		return errors.New("search: one query takes Filter, not Filters")
	}
	return nil
}

// CheckBatch is Check for a batch of the given number of queries.
func CheckBatch(o *search.Options, queries, k int) error {
	one := *o
	one.Filters = nil
	switch {
	case o.Stop != nil:
		return errors.New("search: a stop condition can't serve a batch of queries")
	case o.Filters != nil && len(o.Filters) != queries:
		return fmt.Errorf("search: %d filters for %d queries", len(o.Filters), queries)
	}
	return Check(&one, k)
}

// CheckRoom returns an error if r has no room for the results of the given number of queries.
func CheckRoom(r *search.Results, queries int) error {
	if r.K > 0 && (len(r.Counts) < queries || min(len(r.Labels), len(r.Distances))/r.K < queries) {
		return fmt.Errorf("search: no room for %d results of each of %d queries", r.K, queries)
	}
	return nil
}

// Set makes found, at most r.K neighbours, the results of a query.
func Set(r *search.Results, query int, found []search.Neighbor) {
	labels, distances := r.Labels[query*r.K:(query+1)*r.K], r.Distances[query*r.K:(query+1)*r.K]
	for i, f := range found {
		labels[i], distances[i] = f.Label, f.Distance
	}
	for i := len(found); i < r.K; i++ {
		labels[i], distances[i] = search.NoLabel, float32(math.Inf(1))
	}
	r.Counts[query] = len(found)
}
