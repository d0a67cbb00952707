package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// adviseSmall keeps huge pages away from b, which must not have been touched yet.
func adviseSmall(b []byte) error {
	// EINVAL: a kernel without huge pages
	if err := unix.Madvise(b, unix.MADV_NOHUGEPAGE); err != nil && err != unix.EINVAL {
		return fmt.Errorf("madvise: %w", err)
	}
	return nil
}
