package format

import (
	"os"

	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/vfs"
)

// OpenFile opens a regular file and returns its length. Anything else is refused before it is opened, since opening a
// pipe would wait for its other end.
func OpenFile(path string) (*os.File, int64, error) {
	info, err := vfs.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, &Error{File: path, Offset: -1, Field: "file", Reason: "it is not a regular file"}
	}
	f, err := vfs.Open(path)
	if err != nil {
		return nil, 0, err
	}
	if info, err = f.Stat(); err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// OpenHead is like OpenFile, for a file of which only the beginning is read.
func OpenHead(path string) (*os.File, int64, error) {
	f, size, err := OpenFile(path)
	if err == nil {
		mmap.NoReadAhead(f) // which may be megabytes
	}
	return f, size, err
}
