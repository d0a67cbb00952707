package floats

// Squares returns the sum of the squares of v, which is finite if v is.
func Squares(v []float32) float64 {
	var s0, s1, s2, s3 float64 // four sums in registers, so that no addition waits for the one before
	for ; len(v) >= 4; v = v[4:] {
		a, b, c, d := float64(v[0]), float64(v[1]), float64(v[2]), float64(v[3])
		s0, s1, s2, s3 = s0+a*a, s1+b*b, s2+c*c, s3+d*d
	}
	sums := [4]float64{s0, s1, s2, s3}
	for i, x := range v {
		sums[i] += float64(x) * float64(x)
	}
	return sums[0] + sums[1] + sums[2] + sums[3]
}
