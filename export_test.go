package shale

// What the tests outside the package need to see.
var (
	HalfIsSafe = halfIsSafe
	CodesNames = codesNames()
	RowsNames  = rowKinds[:]
)
