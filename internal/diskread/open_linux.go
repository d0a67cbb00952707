package diskread

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// openDirect opens a file for reads that bypass the page cache, or for ordinary ones if its file system has no such
// reads.
func openDirect(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECT, 0)
	if !errors.Is(err, unix.EINVAL) {
		return f, err
	}
	if f, err = os.Open(path); err == nil {
		_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM) // advice: without it more is read
	}
	return f, err
}

// newBackend returns a ring, or goroutines if the kernel refuses one.
func newBackend(depth int) (backend, error) {
	if r, err := newRing(depth); err == nil {
		return r, nil
	}
	return newParallel(depth), nil
}
