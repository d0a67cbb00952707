package mmap

import (
	"os"
	"path/filepath"
	"testing"
)

// Pages of a hole in a file, which nobody has read, aren't resident until they are.
func TestResident(t *testing.T) {
	page := os.Getpagesize()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(8*page)); err != nil {
		t.Fatal(err)
	}
	r, err := File(path, int64(8*page))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b := r.Bytes()
	if Resident(b[page+5:page+6]) || Resident(b) || !Resident(nil) {
		t.Fatal("pages that were never read are resident")
	}
	for i := range b {
		if b[i] != 0 {
			t.Fatal("another content")
		}
	}
	if !Resident(b[10:20]) || !Resident(b) {
		t.Fatal("pages that were just read aren't resident")
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
