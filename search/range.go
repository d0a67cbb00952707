package search

// RangeResults holds what a batch of range searches found: for query q the labels and distances from Offsets[q] to
// Offsets[q+1], nearest first.
type RangeResults struct {
	Offsets   []int // one more than there are queries
	Labels    []uint64
	Distances []float32
}

// Of returns the labels and distances found for a query.
func (r *RangeResults) Of(query int) (labels []uint64, distances []float32) {
	from, to := r.Offsets[query], r.Offsets[query+1]
	return r.Labels[from:to], r.Distances[from:to]
}
