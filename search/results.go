package search

import (
	"fmt"
	"math"

	"github.com/shale-search/shale/internal/mmap"
)

// Results holds what a batch of queries found: for each query a row of K labels and distances, nearest first, of which
// those after the query's count are NoLabel and +Inf.
type Results struct {
	K         int
	Labels    []uint64
	Distances []float32
	Counts    []int // rows found for each query
}

// NewResults makes room for k results of each of the given number of queries. It returns an error if the system has no
// memory for that.
func NewResults(queries, k int) (*Results, error) {
	const each = 8 + 4 // bytes of a label and of a distance
	if queries > 0 && k > math.MaxInt/each/queries {
		return nil, fmt.Errorf("search: %d results of each of %d queries are more than memory can be addressed", k, queries)
	}
	if err := mmap.Fits(queries * k * each); err != nil {
		return nil, fmt.Errorf("search: %d results of each of %d queries, ask for fewer at a time: %w", k, queries, err)
	}
	return &Results{
		K: k, Labels: make([]uint64, queries*k), Distances: make([]float32, queries*k), Counts: make([]int, queries),
	}, nil
}
