package format

const (
	// headroom is the number of elements beyond its own that an index may get because a header says so. It can grow
	// later.
	headroom = 1 << 20
	// maxFixed bounds the fixed capacity that a header alone may ask for. Memory is taken as it is used, but address
	// space and the tables beside the arrays aren't free.
	maxFixed = 1 << 28
)

// Room returns the number of elements to make room for in an index of count elements whose header asks for declared. It
// reports false if the header asks for an implausible number and the index can't grow later.
func Room(declared uint64, count int, fixed bool) (int, bool) {
	n := uint64(count)
	if fixed {
		return int(max(n, min(declared, max(maxFixed, 4*n)))), declared <= max(maxFixed, 4*n)
	}
	return int(max(n, min(declared, max(2*n, n+headroom)))), true
}
