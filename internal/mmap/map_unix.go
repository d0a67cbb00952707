//go:build unix

package mmap

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newMemory maps zeroed memory, which the system need not have at once if it is given lazily.
func newMemory(size int, lazily bool) ([]byte, error) {
	flags := unix.MAP_PRIVATE | unix.MAP_ANON
	if lazily {
		flags |= mapNoReserve
	}
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, flags)
}

func freeMemory(m []byte) error { return unix.Munmap(m) }

// mapFile maps a file over the beginning of memory that holds its tail.
func mapFile(f descriptor, size int, a Access) (*Region, error) {
	prot, flags := unix.PROT_READ, unix.MAP_SHARED
	switch a {
	case Write:
		prot |= unix.PROT_WRITE
	case Private:
		prot, flags = prot|unix.PROT_WRITE, unix.MAP_PRIVATE
	}
	page := os.Getpagesize()
	m, err := unix.Mmap(-1, 0, (size+page-1)/page*page+tail, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON|mapNoReserve)
	if err != nil {
		return nil, fmt.Errorf("mmap: room for %d bytes: %w", size, err)
	}
	at := unsafe.Pointer(unsafe.SliceData(m))
	if _, err := unix.MmapPtr(int(f.Fd()), 0, at, uintptr(size), prot, flags|unix.MAP_FIXED); err != nil {
		_ = unix.Munmap(m) // what was reserved
		return nil, fmt.Errorf("mmap: %s: %w", f.Name(), err)
	}
	// Reads ahead would bring what no search asks for, and drive out what others do. Without the advice they are only
	// slower.
	_ = unix.Madvise(m[:size], unix.MADV_RANDOM)
	return &Region{bytes: m[:size:size], free: func() error { return unix.Munmap(m) }}, nil
}
