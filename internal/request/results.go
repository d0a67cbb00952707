package request

import (
	"fmt"
	"math"

	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/search"
)

// NewResults makes room for k results of each of the given number of queries. It returns an error if the system has no
// memory for that.
func NewResults(queries, k int) (*search.Results, error) {
	const each = 8 + 4 // bytes of a label and of a distance
	if queries > 0 && k > math.MaxInt/each/queries {
		return nil, fmt.Errorf("search: %d results of each of %d queries are more than memory can be addressed", k, queries)
	}
	if err := mmap.Fits(queries * k * each); err != nil {
		return nil, fmt.Errorf("search: %d results of each of %d queries, ask for fewer at a time: %w", k, queries, err)
	}
	return &search.Results{
		K: k, Labels: make([]uint64, queries*k), Distances: make([]float32, queries*k), Counts: make([]int, queries),
	}, nil
}
