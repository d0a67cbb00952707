package vfs

import (
	"io/fs"
	"os"
)

// System is the system's file system.
type System struct{}

// Remove removes a file or an empty directory.
func (System) Remove(name string) error { return os.Remove(name) }

// RemoveAll removes a file, or a directory and what is in it.
func (System) RemoveAll(name string) error { return os.RemoveAll(name) }

// Mkdir makes a directory.
func (System) Mkdir(name string, perm fs.FileMode) error { return os.Mkdir(name, perm) }

// ReadDir lists a directory.
func (System) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }
