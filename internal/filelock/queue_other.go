//go:build !linux

package filelock

// Queue lets an open file stand first among those that wait for a lock by TryFile. Here there is no queue.
func Queue(File, bool) (bool, error) { return true, nil }

// Unqueue lets others stand first.
func Unqueue(File) {}
