package mmap

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// residentPages is the number of pages that Resident looks at; rows have fewer.
const residentPages = 64

// Resident reports whether the first pages of b, part of a mapped file, are in memory, so that reading them takes no
// disk. Where the system doesn't tell, they are taken to be.
func Resident(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	at, length := pagesOf(b)
	page := uintptr(os.Getpagesize())
	pages := min((length+page-1)/page, residentPages)
	var in [residentPages]byte
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, at, pages*page, uintptr(unsafe.Pointer(&in[0])))
	runtime.KeepAlive(b)
	if errno != 0 {
		return true
	}
	for _, one := range in[:pages] {
		if one&1 == 0 {
			return false
		}
	}
	return true
}
