package mmap

import "fmt"

// leastTried is the size below which memory is taken to be there.
const leastTried = 256 << 20

// Fits returns an error if the system refuses to give size bytes of memory at once. Go's
// allocator would end the process.
func Fits(size int) error {
	if size < leastTried {
		return nil
	}
	m, err := newMemory(size, false)
	if err != nil {
		return fmt.Errorf("%d MiB of memory: %w", size>>20, err)
	}
	return freeMemory(m)
}
