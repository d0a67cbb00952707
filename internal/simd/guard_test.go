package simd

// guarded is memory between two pages that can't be read.
type guarded []byte

// places are n bytes right behind the first guard, off by one and right before the second. The middle one is left out
// where it doesn't fit.
func (g guarded) places(n int) [][]byte {
	list := [][]byte{g[:n:n], g.end(n)}
	if n < len(g) {
		list = append(list, g[1:n+1:n+1])
	}
	return list
}

// end is the last n bytes.
func (g guarded) end(n int) []byte { return g[len(g)-n:] }
