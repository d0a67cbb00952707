package mmap

import (
	"fmt"

	"github.com/shale-search/shale/internal/vfs"
)

// fill writes size zeros to a new file.
func fill(f vfs.File, size int64) error {
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(size-at, int64(len(zeros)))], at); err != nil {
			return fmt.Errorf("room for %d bytes in %s: %w", size, f.Name(), err)
		}
	}
	return nil
}
