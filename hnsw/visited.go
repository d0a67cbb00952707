package hnsw

// visited is a set of ids: a bitmap, small enough for the nearer caches, that is cleared by the list of words touched.
type visited struct {
	words   []uint64
	touched []uint32
}

func (v *visited) reset(n int) {
	if words := (n + 63) / 64; len(v.words) < words {
		v.words, v.touched = make([]uint64, words), v.touched[:0]
		return
	}
	for _, w := range v.touched {
		v.words[w] = 0
	}
	v.touched = v.touched[:0]
}

// add puts id into the set and reports whether it was absent.
func (v *visited) add(id uint32) bool {
	w, bit := id>>6, uint64(1)<<(id&63)
	old := v.words[w]
	if old&bit != 0 {
		return false
	}
	if old == 0 {
		v.touched = append(v.touched, w)
	}
	v.words[w] = old | bit
	return true
}
