package hnsw

import (
	"fmt"
	"math"

	"github.com/shale-search/shale/internal/mmap"
)

// maxRows is the number of rows that ids of 31 bits allow: a candidate's mark takes the 32nd.
const maxRows = math.MaxInt32

// Check reports what can't be meant: a k, ef, rerank or slack that is negative or too large. Numbers above that of the
// rows are no mistake: they ask for all of them.
func (o *SearchOptions) Check(k int) error {
	switch {
	case k < 0 || k == 0 && o.Stop == nil || k > maxRows:
		return fmt.Errorf("hnsw: k is %d, not at least 1 and at most %d", k, maxRows)
	case o.Ef < 0:
		return fmt.Errorf("hnsw: ef is %d, not at least 0", o.Ef)
	case o.Rerank < 0:
		return fmt.Errorf("hnsw: rerank is %d, not at least 0", o.Rerank)
	case !(o.Slack >= 0 && o.Slack <= math.MaxFloat32):
		return fmt.Errorf("hnsw: slack is %v, not a finite number of at least 0", o.Slack)
	}
	return nil
}

// CheckResults returns an error if the system has no memory for k results of each of the given number of queries.
func CheckResults(queries, k int) error {
	const each = 8 + 4 // bytes of a label and of a distance
	if queries > 0 && k > math.MaxInt/each/queries {
		return fmt.Errorf("hnsw: %d results of each of %d queries are more than memory can be addressed", k, queries)
	}
	if err := mmap.Fits(queries * k * each); err != nil {
		return fmt.Errorf("hnsw: %d results of each of %d queries, ask for fewer at a time: %w", k, queries, err)
	}
	return nil
}
