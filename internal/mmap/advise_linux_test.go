package mmap

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Pages given back leave memory, and hold the same when they are read again, ahead or not.
func TestGiveBack(t *testing.T) {
	page := os.Getpagesize()
	content := make([]byte, 8*page)
	for i := range content {
		content[i] = byte(i / page * 31)
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := unix.Mmap(int(f.Fd()), 0, len(content), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Munmap(b); err != nil {
			t.Error(err)
		}
	}()
	for _, part := range [][2]int{{0, len(b)}, {100, len(b) - 100}, {10, 20},
		{page - 1, page + 1}, {page, 2 * page}, {5, 5}} {
		GiveBack(b[part[0]:part[1]])
		ReadAhead(b[part[0]:part[1]])
		if !bytes.Equal(b, content) {
			t.Fatalf("%v: another content", part)
		}
	}
	for from, whole := range map[int][2]int{0: {0, 8}, 1: {1, 8}, page: {1, 8}, 7*page + 1: {8, 8}} {
		got := wholePages(b[from:])
		if len(got) != (whole[1]-whole[0])*page || len(got) > 0 && &got[0] != &b[whole[0]*page] {
			t.Errorf("from %d: %d bytes", from, len(got))
		}
	}
}
