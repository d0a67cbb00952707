package eval

import "github.com/shale-search/shale/search"

// TuneEf is tuneEf, for tests.
var TuneEf = tuneEf

// ShortTruthError is shortTruthError, for tests.
type ShortTruthError = shortTruthError

// Hits is hits, for tests.
func (t *Truth) Hits(q int, found []search.Neighbor, k int) (hits, of int) {
	return t.hits(q, found, k)
}
