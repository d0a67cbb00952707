//go:build !linux

package mmap

func adviseHuge([]byte) {}

// NoReadAhead lets reads of f bring in what they ask for and nothing else, where the system takes such advice.
func NoReadAhead(descriptor) {}

// GiveBack takes pages of a file mapped for reading only out of this process's memory, where the system takes such advice.
func GiveBack([]byte) {}
