package mmap

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Allocate gives a file size bytes and the room for them on its disk, so that a full disk is an error now and not a fault
// when the pages are written. File systems that can't promise room are filled with zeros.
func Allocate(f *os.File, size int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, 0, size)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS):
			return fill(f, size)
		}
		return fmt.Errorf("room for %d bytes in %s: %w", size, f.Name(), err)
	}
}
