//go:build !linux

package vfs

import (
	"errors"
	"io/fs"
	"os"
)

// Unnamed returns errors.ErrUnsupported: this system has no files without a name.
func (System) Unnamed(string, fs.FileMode) (File, error) { return nil, errors.ErrUnsupported }

// DescriptorPath is a path by which this process can open f again.
func DescriptorPath(f File) string { return f.Name() }

// Link gives a file another name.
func (System) Link(f File, name string) error { return os.Link(f.Name(), name) }

// Uncache does nothing on this system.
func Uncache(interface{ Fd() uintptr }) {}

// Exchange swaps two names. A crash in between leaves what was at b under the name b.old.
func (s System) Exchange(a, b string) error {
	if err := s.Rename(b, b+".old"); err != nil {
		return err
	}
	if err := s.Rename(a, b); err != nil {
		return errors.Join(err, s.Rename(b+".old", b))
	}
	return s.Rename(b+".old", a)
}
