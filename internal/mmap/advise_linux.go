package mmap

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

const mapNoReserve = unix.MAP_NORESERVE

// adviseHuge asks the kernel for huge pages. A kernel that refuses still serves the mapping, so the result doesn't
// matter.
func adviseHuge(b []byte) { _ = unix.Madvise(b, unix.MADV_HUGEPAGE) }

// NoReadAhead turns read-ahead of f off, so that a read brings in only what it asked for. A failure costs only extra
// reads.
func NoReadAhead(f descriptor) { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM) }

// GiveBack removes the pages that lie wholly in b, part of a file mapped for reading, from this process's memory. They
// are read again when they are used. A failure costs only memory.
func GiveBack(b []byte) {
	if whole := wholePages(b); len(whole) > 0 {
		_ = unix.Madvise(whole, unix.MADV_DONTNEED)
	}
}

// aheadBytes is how much the kernel reads for one request at least: what it reads ahead of files by default. It leaves
// out the rest of a larger request.
const aheadBytes = 128 << 10

// ReadAhead begins to read b, part of a mapped file, into memory, since all of it will be used soon. Page by page, as
// mappings are read otherwise, it would take many times as long. A failure costs only time.
func ReadAhead(b []byte) {
	at, length := pagesOf(b)
	for first := uintptr(0); first < length; first += aheadBytes {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, at+first, min(aheadBytes, length-first), unix.MADV_WILLNEED)
	}
	runtime.KeepAlive(b)
}

// pagesOf returns where the first page of b begins, and how many bytes from there on end with b. They are numbers and
// no slice, since the page may begin outside the memory that b is of.
func pagesOf(b []byte) (at, length uintptr) {
	at = uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	before := at & uintptr(os.Getpagesize()-1)
	return at - before, before + uintptr(len(b))
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
