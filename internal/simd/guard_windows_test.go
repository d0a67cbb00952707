package simd

import (
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"
)

func newGuarded(t testing.TB, size int) guarded {
	page := os.Getpagesize()
	inner := (size + page - 1) / page * page
	at, err := windows.VirtualAlloc(0, uintptr(inner+2*page), windows.MEM_RESERVE, windows.PAGE_NOACCESS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := windows.VirtualFree(at, 0, windows.MEM_RELEASE); err != nil {
			t.Error(err)
		}
	})
	first, err := windows.VirtualAlloc(at+uintptr(page), uintptr(inner), windows.MEM_COMMIT, windows.PAGE_READWRITE)
	if err != nil {
		t.Fatal(err)
	}
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&first))), inner)
}
