//go:build unix && !linux

package vfs

import (
	"errors"
	"io/fs"
	"os"
)

// Unnamed is not to be had.
func (System) Unnamed(string, fs.FileMode) (File, error) { return nil, errors.ErrUnsupported }

// DescriptorPath is a path by which this process can open f again.
func DescriptorPath(f File) string { return f.Name() }

// Link gives a file another name.
func (System) Link(f File, name string) error { return os.Link(f.Name(), name) }

// Exchange swaps two names. A crash in between leaves what lay at b under the name b.old.
func (System) Exchange(a, b string) error {
	if err := os.Rename(b, b+".old"); err != nil {
		return err
	}
	if err := os.Rename(a, b); err != nil {
		return err
	}
	return os.Rename(b+".old", a)
}

func (f file) Allocate(int64) error { return errors.ErrUnsupported }
