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
	// Unnamed creates a file in dir that has no name and is gone when it is closed, unless Link has given it one. The
	// error is errors.ErrUnsupported where the file system has no such files.
	Unnamed(dir string, perm fs.FileMode) (File, error)
	// Link gives a file, unnamed or not, the name, which nothing may have.
	Link(f File, name string) error
	Rename(from, to string) error
	// Exchange swaps the files of two names, in one step if the system can do that.
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
	// Allocate gives the file size bytes and the room for them on its disk. The error is errors.ErrUnsupported where the
	// file system can't promise room.
	Allocate(size int64) error
	// Msync writes what was changed in b, a mapping of the file from its beginning on, to the disk and waits for it.
	Msync(b []byte) error
}

var current atomic.Pointer[FS]

func init() { Swap(System{}) }

// Swap makes f the file system that the functions of this package use, and gives the one that
// they used before. It is for tests.
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

// OpenFile is that of the file system in use.
func OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	return use().OpenFile(name, flag, perm)
}

// Unnamed is that of the file system in use.
func Unnamed(dir string, perm fs.FileMode) (File, error) { return use().Unnamed(dir, perm) }

// Link is that of the file system in use.
func Link(f File, name string) error { return use().Link(f, name) }

// Rename is that of the file system in use.
func Rename(from, to string) error { return use().Rename(from, to) }

// Exchange is that of the file system in use.
func Exchange(a, b string) error { return use().Exchange(a, b) }

// Remove is that of the file system in use.
func Remove(name string) error { return use().Remove(name) }

// RemoveAll is that of the file system in use.
func RemoveAll(name string) error { return use().RemoveAll(name) }

// Mkdir is that of the file system in use.
func Mkdir(name string, perm fs.FileMode) error { return use().Mkdir(name, perm) }

// MkdirAll makes a directory and those above it that aren't there.
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

// ReadDir is that of the file system in use.
func ReadDir(name string) ([]fs.DirEntry, error) { return use().ReadDir(name) }

// Stat is that of the file system in use.
func Stat(name string) (fs.FileInfo, error) { return use().Stat(name) }

// Lstat is that of the file system in use.
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
	// Some network file systems have no sync of directories and say so; a name is then as durable as they make it.
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}
