package mmap

import (
	"fmt"
	"io"
	"math"

	"github.com/shale-search/shale/internal/vfs"
)

// tail is the number of zero bytes that can be read past a mapped file's end. Kernels may read whole vectors where
// fewer bytes are left.
const tail = 1 << 16

// File maps the first size bytes of a file for reading. Pages are read one at a time, when they are used. Reading a
// part that was cut off meanwhile, or can't be read, is a fault: see Guard.
func File(path string, size int64) (*Region, error) {
	if size == 0 {
		return &Region{}, nil
	}
	f, err := vfs.Open(path)
	if err != nil {
		return nil, fmt.Errorf("mmap: %w", err)
	}
	defer f.Close() // the mapping stays
	return Shared(f, size, Read)
}

// Access is the way an open file is mapped.
type Access int

// The ways to map a file.
const (
	Read    Access = iota // writing to the region is a fault
	Write                 // what is written is the file's, and other processes see it
	Private               // what is written is memory of this process alone
)

// descriptor is an open file.
type descriptor interface {
	io.ReaderAt
	Fd() uintptr
	Name() string
}

// Shared maps the first size bytes of an open file. Writing a page for which the disk has no room is a fault.
func Shared(f descriptor, size int64, a Access) (*Region, error) {
	if size < 1 || size > math.MaxInt-2*tail {
		return nil, fmt.Errorf("mmap: %d bytes of %s asked for", size, f.Name())
	}
	return mapFile(f, int(size), a)
}
