package mmap

import (
	"errors"

	"github.com/shale-search/shale/internal/vfs"
)

// Allocate gives a file size bytes and the room for them on its disk, so that a full disk is an error now and not a
// fault when the pages are written. File systems that can't promise room are filled with zeros.
func Allocate(f vfs.File, size int64) error {
	err := f.Allocate(size)
	if errors.Is(err, errors.ErrUnsupported) {
		return fill(f, size)
	}
	return err
}
