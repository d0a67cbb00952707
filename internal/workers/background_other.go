//go:build !linux

package workers

// lower does nothing: threads have no priorities of their own here, or can't have them raised again.
func lower(Priority) {}
