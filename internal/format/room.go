package format

const (
	// headroom is what a growing index may get beyond its elements because a header says so. It grows when it must.
	headroom = 1 << 20
	// maxFixed bounds the fixed capacity that a header alone may ask for. Memory is committed as it is used, but
	// address space and the tables beside the arrays aren't free.
	maxFixed = 1 << 28
)

// Room is the number of elements to make room for in an index of count elements whose header declares declared. It is
// false if the header asks for more than can be believed and the index may not grow later.
func Room(declared uint64, count int, fixed bool) (int, bool) {
	n := uint64(count)
	if fixed {
		return int(max(n, min(declared, max(maxFixed, 4*n)))), declared <= max(maxFixed, 4*n)
	}
	return int(max(n, min(declared, max(2*n, n+headroom)))), true
}
