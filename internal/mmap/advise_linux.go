package mmap

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

const mapNoReserve = unix.MAP_NORESERVE

// adviseHuge asks for huge pages. A kernel without them still serves the mapping, so its answer changes nothing.
func adviseHuge(b []byte) { _ = unix.Madvise(b, unix.MADV_HUGEPAGE) }

// NoReadAhead lets reads of f bring in what they ask for and nothing else. Without the advice they only bring more.
func NoReadAhead(f descriptor) { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM) }

// GiveBack takes the pages that lie wholly in b, of a file mapped for reading only, out of this process's memory; they are
// read again when they are asked for. Without the advice they only stay longer.
func GiveBack(b []byte) {
	if whole := wholePages(b); len(whole) > 0 {
		_ = unix.Madvise(whole, unix.MADV_DONTNEED)
	}
}

func wholePages(b []byte) []byte {
	page := uintptr(os.Getpagesize())
	start := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	skip := -start & (page - 1)
	if uintptr(len(b)) < skip+page {
		return nil
	}
	return b[skip : skip+(uintptr(len(b))-skip)&^(page-1)]
}
