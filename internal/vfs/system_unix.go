//go:build unix

package vfs

import (
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Flags of OpenFile besides those of the package os.
const (
	NoFollow  = unix.O_NOFOLLOW  // a symbolic link at the end of the path is the error ELOOP
	NonBlock  = unix.O_NONBLOCK  // opening a pipe doesn't wait for its other end
	Directory = unix.O_DIRECTORY // anything but a directory is the error ENOTDIR
)

// InUse reports whether err says that a file can't be replaced or removed while somebody has it open. Here open files
// can.
func InUse(error) bool { return false }

// Open opens a file for reading.
func (System) Open(name string) (*os.File, error) { return os.Open(name) }

// OpenFile opens a file or directory.
func (System) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return file{f}, nil
}

// Rename renames a file or directory. Unlike os.Rename it lets a directory replace an empty one.
func (System) Rename(from, to string) error {
	if err := unix.Rename(from, to); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// Stat describes the file with the given name. It follows symbolic links.
func (System) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

// Lstat describes the file with the given name. It doesn't follow symbolic links.
func (System) Lstat(name string) (fs.FileInfo, error) { return os.Lstat(name) }

type file struct{ *os.File }

func (f file) Msync(b []byte) error {
	if err := unix.Msync(b, unix.MS_SYNC); err != nil {
		return fmt.Errorf("msync %s: %w", f.Name(), err)
	}
	return nil
}
