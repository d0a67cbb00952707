package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// adviseSmall keeps huge pages away from b, which must not have been touched yet.
func adviseSmall(b []byte) error {
	if err := unix.Madvise(b, unix.MADV_NOHUGEPAGE); err != nil && err != unix.EINVAL { // EINVAL: a kernel without huge pages
		return fmt.Errorf("madvise: %w", err)
	}
	return nil
}
