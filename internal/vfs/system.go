package vfs

import (
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// System is the system's file system.
type System struct{}

// Open opens a file for reading.
func (System) Open(name string) (*os.File, error) { return os.Open(name) }

// OpenFile opens a file or directory.
func (System) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	return systemFile(os.OpenFile(name, flag, perm))
}

// Rename renames a file or directory. Unlike os.Rename it lets a directory replace an empty one.
func (System) Rename(from, to string) error {
	if err := unix.Rename(from, to); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// Remove removes a file or an empty directory.
func (System) Remove(name string) error { return os.Remove(name) }

// RemoveAll removes a file, or a directory and what is in it.
func (System) RemoveAll(name string) error { return os.RemoveAll(name) }

// Mkdir makes a directory.
func (System) Mkdir(name string, perm fs.FileMode) error { return os.Mkdir(name, perm) }

// ReadDir lists a directory.
func (System) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }

// Stat describes the file with the given name. It follows symbolic links.
func (System) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

// Lstat describes the file with the given name. It doesn't follow symbolic links.
func (System) Lstat(name string) (fs.FileInfo, error) { return os.Lstat(name) }

type file struct{ *os.File }

func systemFile(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return file{f}, nil
}

func (f file) Msync(b []byte) error {
	if err := unix.Msync(b, unix.MS_SYNC); err != nil {
		return fmt.Errorf("msync %s: %w", f.Name(), err)
	}
	return nil
}
