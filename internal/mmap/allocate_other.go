//go:build unix && !linux

package mmap

import "os"

// Allocate gives a file size bytes and the room for them on its disk, so that a full disk is an error now and not a fault
// when the pages are written.
func Allocate(f *os.File, size int64) error { return fill(f, size) }
