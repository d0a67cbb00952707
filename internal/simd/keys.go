package simd

// keyRoom is the number of keys that the routines for lists of keys may read, or overwrite with anything, after their
// end.
const keyRoom = 8

// KeyCapacity is the room that n keys take for NearKeys, SortKeys and MergeKeys: these read, or overwrite with
// anything, up to so many in any list of keys.
func KeyCapacity(n int) int { return n + keyRoom }
