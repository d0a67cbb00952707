package mmap

import (
	"fmt"
	"os"
)

// fill writes size zeros to a new file.
func fill(f *os.File, size int64) error {
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(size-at, int64(len(zeros)))], at); err != nil {
			return fmt.Errorf("room for %d bytes in %s: %w", size, f.Name(), err)
		}
	}
	return nil
}
