package simd

// keyRoom is the number of keys that the routines for lists of keys may read, or overwrite with anything, after their
// end.
const keyRoom = 8

// KeyCapacity returns the capacity that a list of n keys needs for NearKeys, SortKeys and MergeKeys, which may read or
// overwrite keys up to that capacity.
func KeyCapacity(n int) int { return n + keyRoom }
