package floats

// Finite reports whether v holds neither NaN nor infinity.
func Finite(v []float32) bool {
	var off [4]float32 // NaN from then on; four sums, so that no addition waits for the one before
	for ; len(v) >= 4; v = v[4:] {
		for i, x := range v[:4] {
			off[i] += x - x
		}
	}
	for i, x := range v {
		off[i] += x - x
	}
	return off[0]+off[1]+off[2]+off[3] == 0
}
