package search

// Results holds what a batch of queries found: for each query a row of K labels and distances, nearest first, of which
// those after the query's count are NoLabel and +Inf.
type Results struct {
	K         int
	Labels    []uint64
	Distances []float32
	Counts    []int // rows found for each query
}
