//go:build !linux

package filelock

// Queue always reports true: there is no queue on this system.
func Queue(File, bool) (bool, error) { return true, nil }

// Unqueue does nothing on this system.
func Unqueue(File) {}
