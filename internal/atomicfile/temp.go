package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/shale-search/shale/internal/filelock"
	"github.com/shale-search/shale/internal/vfs"
)

// Temp is a file that gets its name when it is complete. Until then it has no name if the file system allows that, so
// that nothing is left when the process is killed, or else a temporary one. It is locked against Clear.
type Temp struct {
	vfs.File
	path string      // the name that it is for
	name string      // the one that it has meanwhile
	old  fs.FileInfo // of the file whose mode and owner it gets, if any
}

// NewTemp creates a file to be published as path. It has the mode and, where possible, the owner of an existing file at
// path. The caller must call Publish, Replace or Drop; the first two leave the file open.
func NewTemp(path string) (*Temp, error) { return newTemp(path, "") }

// newTemp is NewTemp. If path doesn't exist, the file gets the mode and owner of the file at like.
func newTemp(path, like string) (*Temp, error) {
	Clear(filepath.Dir(path))
	t := &Temp{path: path}
	perm := fs.FileMode(0o666)
	if t.old = regular(path); t.old == nil && like != "" {
		t.old = regular(like)
	}
	if t.old != nil {
		perm = 0o600 // until it has the mode of the old one
	}
	f, err := vfs.Unnamed(filepath.Dir(path), perm)
	switch {
	case err == nil:
		t.File = f
		_, err = filelock.TryFile(f, false) // nobody else can have it
		if errors.Is(err, errors.ErrUnsupported) {
			err = nil // Clear can't lock it either
		}
	case errors.Is(err, errors.ErrUnsupported):
		err = t.createNamed(perm)
	}
	if err == nil && t.old != nil {
		err = keepMode(t.File, t.old)
	}
	if err != nil && t.File != nil {
		err = errors.Join(err, t.Drop())
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// regular returns the FileInfo of the file at path, or nil if there is none.
func regular(path string) fs.FileInfo {
	info, err := vfs.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return info
}

func (t *Temp) createNamed(perm fs.FileMode) error {
	for {
		name := tempName(t.path)
		f, err := vfs.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
		if err != nil {
			return err
		}
		if hold(f, name) {
			t.File, t.name = f, name
			return nil
		}
		_, _ = vfs.Remove(name), f.Close() // another process took it for left over
	}
}

// Publish gives the file its name, which must be free. The caller has synced the content.
func (t *Temp) Publish() error { return t.take(false) }

// Replace gives the file its name and replaces any file that has it.
func (t *Temp) Replace() error { return t.take(true) }

func (t *Temp) take(replace bool) error {
	// Opened now, so that a lack of descriptors can't prevent the sync after the renaming.
	dir, err := vfs.OpenFile(filepath.Dir(t.path), os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := t.rename(replace); err != nil {
		return err
	}
	if err := vfs.SyncNames(dir); err != nil {
		return fmt.Errorf("%w: sync its directory: %w", ErrUnsynced, err)
	}
	return nil
}

func (t *Temp) rename(replace bool) error {
	if t.name == "" || !replace {
		err := vfs.Link(t.File, t.path)
		if err == nil && t.name != "" {
			_ = vfs.Remove(t.name) // else Clear does it
			t.name = ""
		}
		if err == nil || !replace || !errors.Is(err, fs.ErrExist) {
			return err
		}
		name := tempName(t.path)
		if err := vfs.Link(t.File, name); err != nil {
			return err
		}
		t.name = name
	}
	if err := vfs.Rename(t.name, t.path); err != nil {
		return err
	}
	t.name = ""
	return nil
}

// Drop closes the file and removes it unless it was published.
func (t *Temp) Drop() error {
	err := t.Close()
	if errors.Is(err, fs.ErrClosed) {
		err = nil
	}
	if t.name == "" {
		return err
	}
	if removed := vfs.Remove(t.name); !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return err
}
