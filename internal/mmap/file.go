package mmap

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/shale-search/shale/internal/vfs"
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
	return mapFile(f, size, unix.PROT_READ)
}

// Shared maps the first size bytes of a file, for writing too if asked for: what is written is the file's, and other processes
// see it. Writing where there is no room on the disk is a fault, and so is writing to a region that isn't for it.
func Shared(f vfs.File, size int64, writable bool) (*Region, error) {
	prot := unix.PROT_READ
	if writable {
		prot |= unix.PROT_WRITE
	}
	r, err := mapFile(f, size, prot)
	if err != nil {
		return nil, err
	}
	r.file = f
	return r, nil
}

// descriptor is an open file.
type descriptor interface {
	Fd() uintptr
	Name() string
}

func mapFile(f descriptor, size int64, prot int) (*Region, error) {
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
	if _, err := unix.MmapPtr(int(f.Fd()), 0, at, uintptr(size), prot, unix.MAP_SHARED|unix.MAP_FIXED); err != nil {
		_ = r.Close() // what was reserved
		return nil, fmt.Errorf("mmap: %s: %w", f.Name(), err)
	}
	// Reads ahead would bring what no search asks for, and drive out what others do. Without the advice they are only slower.
	_ = unix.Madvise(m[:size], unix.MADV_RANDOM)
	return r, nil
}

// Sync writes what was changed in the first n bytes of a Shared region to the file, and waits for the disk.
func (r *Region) Sync(n int) error {
	if err := r.file.Msync(r.bytes[:n]); err != nil {
		return fmt.Errorf("mmap: write to the file: %w", err)
	}
	return nil
}
