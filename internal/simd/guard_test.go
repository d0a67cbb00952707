//go:build unix

package simd

import (
	"testing"

	"golang.org/x/sys/unix"
)

// guarded is memory between two pages that can't be read.
type guarded []byte

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

// places are n bytes right behind the first guard, off by one and right before the second. The middle one is left out
// where it doesn't fit.
func (g guarded) places(n int) [][]byte {
	list := [][]byte{g[:n:n], g.end(n)}
	if n < len(g) {
		list = append(list, g[1:n+1:n+1])
	}
	return list
}

// end is the last n bytes.
func (g guarded) end(n int) []byte { return g[len(g)-n:] }
