// Package vfs is the one way in which files are changed: what saves, builds, converts or syncs calls it in place of the
// package os. Tests put another file system in the place of the system's, which fails or loses power at any operation.
package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
)

// FS is a file system that can be written to. Its methods do what the functions of the same names in the package os do,
// unless said otherwise.
type FS interface {
	// Open opens a file for reading.
	Open(name string) (*os.File, error)
	// OpenFile opens a file, or a directory for its Sync, Chmod and Chown.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	// Unnamed creates a file in dir that has no name. It is gone when it is closed, unless Link has given it a name.
	// The error is errors.ErrUnsupported if the file system has no such files.
	Unnamed(dir string, perm fs.FileMode) (File, error)
	// Link gives a file a name that nothing has yet. The file may be an unnamed one.
	Link(f File, name string) error
	Rename(from, to string) error
	// Exchange swaps the files of two names, atomically if the system can.
	Exchange(a, b string) error
	Remove(name string) error
	RemoveAll(name string) error
	Mkdir(name string, perm fs.FileMode) error
	ReadDir(name string) ([]fs.DirEntry, error)
	Stat(name string) (fs.FileInfo, error)
	Lstat(name string) (fs.FileInfo, error)
}

// File is an open file. Its methods do what those of *os.File do, unless said otherwise.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.WriterAt
	io.Closer
	Name() string
	Fd() uintptr
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	Chmod(mode fs.FileMode) error
	Chown(uid, gid int) error
	Sync() error
	// Allocate gives the file size bytes and reserves the room on its disk. The error is errors.ErrUnsupported if the
	// file system can't reserve room.
	Allocate(size int64) error
	// Msync writes the changes in b, a mapping of the file from its beginning, to the disk and waits for them.
	Msync(b []byte) error
}

var current atomic.Pointer[FS]

func init() { Swap(System{}) }

// Swap makes f the file system of this package's functions and returns the one before. It is for tests.
func Swap(f FS) FS {
	before := current.Swap(&f)
	if before == nil {
		return nil
	}
	return *before
}

func use() FS { return *current.Load() }

// Open opens a file for reading.
func Open(name string) (*os.File, error) { return use().Open(name) }

// OpenFile opens a file or directory.
func OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	return use().OpenFile(name, flag, perm)
}

// Unnamed creates a file without a name: see FS.
func Unnamed(dir string, perm fs.FileMode) (File, error) { return use().Unnamed(dir, perm) }

// Link gives a file a name: see FS.
func Link(f File, name string) error { return use().Link(f, name) }

// Rename renames a file or directory.
func Rename(from, to string) error { return use().Rename(from, to) }

// Exchange swaps the files of two names: see FS.
func Exchange(a, b string) error { return use().Exchange(a, b) }

// Remove removes a file or an empty directory.
func Remove(name string) error { return use().Remove(name) }

// RemoveAll removes a file, or a directory and its contents.
func RemoveAll(name string) error { return use().RemoveAll(name) }

// Mkdir creates a directory.
func Mkdir(name string, perm fs.FileMode) error { return use().Mkdir(name, perm) }

// MkdirAll creates a directory and the missing ones above it.
func MkdirAll(name string, perm fs.FileMode) error {
	err := Mkdir(name, perm)
	if errors.Is(err, fs.ErrNotExist) && filepath.Dir(name) != name {
		if err := MkdirAll(filepath.Dir(name), perm); err != nil {
			return err
		}
		err = Mkdir(name, perm)
	}
	if info, statErr := Stat(name); err != nil && statErr == nil && info.IsDir() {
		return nil
	}
	return err
}

// ReadDir lists a directory.
func ReadDir(name string) ([]fs.DirEntry, error) { return use().ReadDir(name) }

// Stat describes a file. It follows symbolic links.
func Stat(name string) (fs.FileInfo, error) { return use().Stat(name) }

// Lstat describes a file. It doesn't follow symbolic links.
func Lstat(name string) (fs.FileInfo, error) { return use().Lstat(name) }

// SyncDir makes the names in a directory durable.
func SyncDir(dir string) error {
	d, err := OpenFile(dir, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(SyncNames(d), d.Close())
}

// SyncNames makes the names in an open directory durable.
func SyncNames(dir File) error {
	err := dir.Sync()
	// Some network file systems can't sync directories and say so. A name is then as durable as they make it.
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}
