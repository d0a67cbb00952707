// Package mmap provides memory mappings: anonymous ones for large arrays outside the Go heap, and files.
package mmap

import (
	"fmt"
	"math"
	"sync/atomic"
	"unsafe"
)

// hugePage is the size of transparent huge pages on amd64, and on arm64 with base pages of 4 KiB.
const hugePage = 2 << 20

// Region is a mapping. Its bytes stay valid until Close.
type Region struct {
	bytes  []byte
	free   func() error // unmaps all that the system gave; nil for no bytes
	closed atomic.Bool
}

// Anonymous maps size zeroed bytes. They take memory as they are used, in huge pages where the kernel grants them.
func Anonymous(size int) (*Region, error) {
	if size < 0 || size > math.MaxInt-hugePage {
		return nil, fmt.Errorf("mmap: %d bytes asked for", size)
	}
	if size == 0 {
		return &Region{}, nil
	}
	slack := 0
	if size >= hugePage {
		slack = hugePage
	}
	m, err := newMemory(size+slack, true)
	if err != nil {
		return nil, fmt.Errorf("mmap: %d bytes of memory: %w", size, err)
	}
	skip := 0
	if slack > 0 {
		addr := uintptr(unsafe.Pointer(unsafe.SliceData(m)))
		skip = int((hugePage - addr%hugePage) % hugePage)
		adviseHuge(m[skip : skip+size])
	}
	return &Region{bytes: m[skip : skip+size : skip+size], free: func() error { return freeMemory(m) }}, nil
}

// Bytes returns the mapped memory.
func (r *Region) Bytes() []byte { return r.bytes }

// Close unmaps the region. A second call does nothing.
func (r *Region) Close() error {
	if r.free == nil || r.closed.Swap(true) {
		return nil
	}
	if err := r.free(); err != nil {
		return fmt.Errorf("mmap: unmap: %w", err)
	}
	return nil
}

// Slice returns the region's n elements of T at byte offset off. It panics if they lie outside the region.
func Slice[T any](r *Region, off, n int) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	if off < 0 || n < 0 || off%int(unsafe.Alignof(zero)) != 0 || n > (len(r.bytes)-off)/size {
		panic(fmt.Sprintf("mmap: view of %d elements of %d bytes at %d past a region of %d", n, size, off, len(r.bytes)))
	}
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&r.bytes[off])), n)
}
