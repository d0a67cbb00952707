package mmap

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Pages that the system drops aren't resident until they are read again.
func TestResident(t *testing.T) {
	page := os.Getpagesize()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, make([]byte, 8*page), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := File(path, int64(8*page))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b := r.Bytes()
	for i := range b {
		if b[i] != 0 {
			t.Fatal("another content")
		}
	}
	if !Resident(b[10:20]) || !Resident(b) || !Resident(nil) {
		t.Fatal("pages that were just read aren't resident")
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	GiveBack(b)
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
	if onDisk(t, path) && (Resident(b[page+5:page+6]) || Resident(b)) {
		t.Fatal("pages that were dropped are resident")
	}
}

// Memory of the Go heap is resident, and can be asked for.
func TestResidentHeap(t *testing.T) {
	b := make([]byte, 12)
	ReadAhead(b)
	if !Resident(b) {
		t.Fatal("memory that isn't mapped is not resident")
	}
}

// onDisk reports whether the file system keeps files on a disk: one in memory can't drop their pages.
func onDisk(t *testing.T, path string) bool {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		t.Fatal(err)
	}
	return s.Type == unix.EXT4_SUPER_MAGIC || s.Type == unix.XFS_SUPER_MAGIC
}
