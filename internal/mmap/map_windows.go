package mmap

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// granule is what addresses of mappings are multiples of.
const granule = 1 << 16

// newMemory allocates zeroed memory. The system must have it, here or in its page file, but gives pages as they are
// used.
func newMemory(size int, _ bool) ([]byte, error) {
	at, err := windows.VirtualAlloc(0, uintptr(size), windows.MEM_RESERVE|windows.MEM_COMMIT, windows.PAGE_READWRITE)
	if err != nil {
		return nil, err
	}
	return view(at, size), nil
}

func freeMemory(m []byte) error { return freeAt(uintptr(unsafe.Pointer(unsafe.SliceData(m)))) }

func freeAt(at uintptr) error { return windows.VirtualFree(at, 0, windows.MEM_RELEASE) }

// view is the memory at an address that the system gave, which the garbage collector doesn't move.
func view(at uintptr, size int) []byte {
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&at))), size)
}

// mapFile maps a file. One that isn't written to has its last granule, or what there is of it, and the tail in memory
// of this process, since nothing can be mapped right behind a file. Files that are written to have no tail: the layout
// of a live file puts other parts behind those that kernels read.
func mapFile(f descriptor, size int, a Access) (*Region, error) {
	protect, access := uint32(windows.PAGE_READONLY), uint32(windows.FILE_MAP_READ)
	switch a {
	case Write:
		protect, access = windows.PAGE_READWRITE, windows.FILE_MAP_READ|windows.FILE_MAP_WRITE
	case Private:
		protect, access = windows.PAGE_WRITECOPY, windows.FILE_MAP_COPY
	}
	section, err := windows.CreateFileMapping(windows.Handle(f.Fd()), nil, protect, 0, 0, nil)
	if err != nil {
		return nil, fmt.Errorf("mmap: %s: %w", f.Name(), err)
	}
	defer windows.CloseHandle(section) // the mapping stays
	var r *Region
	if a == Write {
		r, err = mapWhole(section, size, access)
	} else {
		r, err = mapWithTail(f, section, size, access)
	}
	if err != nil {
		return nil, fmt.Errorf("mmap: %s: %w", f.Name(), err)
	}
	return r, nil
}

func mapWhole(section windows.Handle, size int, access uint32) (*Region, error) {
	at, err := windows.MapViewOfFile(section, access, 0, 0, uintptr(size))
	if err != nil {
		return nil, err
	}
	return &Region{bytes: view(at, size)[:size:size], free: func() error { return windows.UnmapViewOfFile(at) }}, nil
}

func mapWithTail(f descriptor, section windows.Handle, size int, access uint32) (*Region, error) {
	front := size &^ (granule - 1)
	at, err := mapPieces(section, front, size-front+tail, access)
	if err != nil {
		return nil, err
	}
	free := func() error { return freePieces(at, front) }
	all := view(at, size+tail)
	last := all[front:]
	if n, err := f.ReadAt(last[:size-front], int64(front)); n < size-front {
		return nil, errors.Join(err, free())
	}
	if access == windows.FILE_MAP_READ {
		var before uint32
		first := uintptr(unsafe.Pointer(&last[0]))
		if err := windows.VirtualProtect(first, uintptr(len(last)), windows.PAGE_READONLY, &before); err != nil {
			return nil, errors.Join(err, free())
		}
	}
	return &Region{bytes: all[:size:size], free: free}, nil
}

// placings is how often another thread may take the addresses that were found free for a mapping.
const placings = 100

// mapPieces maps the first bytes of a section, and memory right behind them.
func mapPieces(section windows.Handle, front, back int, access uint32) (at uintptr, err error) {
	for range placings {
		at, err = windows.VirtualAlloc(0, uintptr(front+back), windows.MEM_RESERVE, windows.PAGE_NOACCESS)
		if err != nil {
			return 0, err // there is no room for it
		}
		if err := freeAt(at); err != nil {
			return 0, err
		}
		if front > 0 {
			if err = mapViewAt(section, access, uintptr(front), at); err != nil {
				continue
			}
		}
		_, err = windows.VirtualAlloc(at+uintptr(front), uintptr(back), windows.MEM_RESERVE|windows.MEM_COMMIT,
			windows.PAGE_READWRITE)
		if err == nil {
			return at, nil
		}
		if front > 0 {
			if err := windows.UnmapViewOfFile(at); err != nil {
				return 0, err
			}
		}
	}
	return 0, err
}

func freePieces(at uintptr, front int) error {
	err := freeAt(at + uintptr(front))
	if front > 0 {
		err = errors.Join(err, windows.UnmapViewOfFile(at))
	}
	return err
}

var mapViewOfFileEx = windows.NewLazySystemDLL("kernel32.dll").NewProc("MapViewOfFileEx")

// mapViewAt maps the first bytes of a section at an address.
func mapViewAt(section windows.Handle, access uint32, size, at uintptr) error {
	got, _, err := mapViewOfFileEx.Call(uintptr(section), uintptr(access), 0, 0, size, at)
	if got == 0 {
		return err
	}
	return nil
}
