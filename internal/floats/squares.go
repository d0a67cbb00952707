package floats

// Squares returns the sum of the squares of v, which is finite if v is.
func Squares(v []float32) float64 {
	var sums [4]float64 // four sums, so that no addition waits for the one before
	for ; len(v) >= 4; v = v[4:] {
		for i, x := range v[:4] {
			sums[i] += float64(x) * float64(x)
		}
	}
	for i, x := range v {
		sums[i] += float64(x) * float64(x)
	}
	return sums[0] + sums[1] + sums[2] + sums[3]
}
