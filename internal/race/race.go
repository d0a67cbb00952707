// Package race tells tests whether the race detector watches them, which makes them about ten times slower.
package race

import "testing"

// SkipSequential skips a test under the race detector. It is for slow tests in which one goroutine works at a time, or
// in which goroutines meet only where they meet in other tests too.
func SkipSequential(t testing.TB) {
	t.Helper()
	if Enabled {
		t.Skip("has no goroutines of its own that could race")
	}
}
