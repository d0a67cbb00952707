package mmap

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// leastTried is the size below which memory is taken to be there.
const leastTried = 256 << 20

// Fits returns an error if the system refuses to give size bytes of memory at once. Go's
// allocator would end the process.
func Fits(size int) error {
	if size < leastTried {
		return nil
	}
	m, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return fmt.Errorf("%d MiB of memory: %w", size>>20, err)
	}
	return unix.Munmap(m)
}
