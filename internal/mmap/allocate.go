package mmap

import (
	"errors"

	"github.com/shale-search/shale/internal/vfs"
)

// Allocate gives a file size bytes and reserves the room on its disk, so that a full disk is an error now and not a
// fault when the pages are written. If the file system can't reserve room, the file is filled with zeros.
func Allocate(f vfs.File, size int64) error {
	err := f.Allocate(size)
	if errors.Is(err, errors.ErrUnsupported) {
		return fill(f, size)
	}
	return err
}
