package mmap

import "fmt"

// leastTried is the size below which Fits assumes that there is enough memory.
const leastTried = 256 << 20

// Fits returns an error if the system refuses size bytes of memory in one piece. Go's allocator would end the process
// instead.
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
