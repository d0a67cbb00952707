//go:build !linux

package mmap

func adviseHuge([]byte) {}

// NoReadAhead does nothing on this system.
func NoReadAhead(descriptor) {}

// ReadAhead does nothing on this system.
func ReadAhead([]byte) {}

// GiveBack does nothing on this system.
func GiveBack([]byte) {}

// Resident returns true: this system doesn't tell.
func Resident([]byte) bool { return true }
