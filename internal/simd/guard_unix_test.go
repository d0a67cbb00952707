//go:build unix

package simd

import (
	"testing"

	"golang.org/x/sys/unix"
)

func newGuarded(t testing.TB, size int) guarded {
	page := unix.Getpagesize()
	inner := (size + page - 1) / page * page
	m, err := unix.Mmap(-1, 0, inner+2*page, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(m); err != nil {
			t.Error(err)
		}
	})
	g := m[page : page+inner : page+inner]
	if err := unix.Mprotect(g, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		t.Fatal(err)
	}
	return g
}
