package mmap

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// tail is how far past a mapped file's end reads find zeros: kernels may read whole vectors where less is left.
const tail = 1 << 16

// File maps a file's first size bytes for reading. Pages come in as they are read, one at a time. Reading where the file
// has been cut off meanwhile, or can't be read, is a fault: see Guard.
func File(path string, size int64) (*Region, error) {
	if size == 0 {
		return &Region{}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("mmap: %w", err)
	}
	defer f.Close() // the mapping stays
	return mapFile(f, size, unix.PROT_READ, unix.MAP_SHARED)
}

// Access is how an open file is mapped.
type Access int

// The ways to map a file.
const (
	Read    Access = iota // writing to the region is a fault
	Write                 // what is written is the file's, and other processes see it
	Private               // what is written is memory of this process alone
)

// descriptor is an open file.
type descriptor interface {
	Fd() uintptr
	Name() string
}

// Shared maps the first size bytes of an open file. Writing where there is no room on the disk is a fault.
func Shared(f descriptor, size int64, a Access) (*Region, error) {
	switch a {
	case Write:
		return mapFile(f, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	case Private:
		return mapFile(f, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	default:
		return mapFile(f, size, unix.PROT_READ, unix.MAP_SHARED)
	}
}

func mapFile(f descriptor, size int64, prot, flags int) (*Region, error) {
	page := int64(os.Getpagesize())
	if size < 1 || size > 1<<62 {
		return nil, fmt.Errorf("mmap: %d bytes asked for", size)
	}
	m, err := unix.Mmap(-1, 0, int((size+page-1)/page*page)+tail, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON|mapNoReserve)
	if err != nil {
		return nil, fmt.Errorf("mmap: room for %d bytes: %w", size, err)
	}
	r := &Region{mapping: m, bytes: m[:size:size]}
	at := unsafe.Pointer(unsafe.SliceData(m))
	if _, err := unix.MmapPtr(int(f.Fd()), 0, at, uintptr(size), prot, flags|unix.MAP_FIXED); err != nil {
		_ = r.Close() // what was reserved
		return nil, fmt.Errorf("mmap: %s: %w", f.Name(), err)
	}
	// Reads ahead would bring what no search asks for, and drive out what others do. Without the advice they are only slower.
	_ = unix.Madvise(m[:size], unix.MADV_RANDOM)
	return r, nil
}
