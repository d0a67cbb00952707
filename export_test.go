package shale

// HalfIsSafe is halfIsSafe, for tests outside the package.
var HalfIsSafe = halfIsSafe
