package store

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/filelock"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/vfs"
)

// newFile creates a locked file with an empty index for path.
func (l *liveLayout) newFile(path string) (*atomicfile.Temp, error) {
	t, err := atomicfile.NewTemp(path)
	if err != nil {
		return nil, err
	}
	if err := l.fill(t); err != nil {
		return nil, errors.Join(err, t.Drop())
	}
	return t, nil
}

// fill reserves the file's room and writes its first pages.
func (l *liveLayout) fill(f vfs.File) error {
	if err := mmap.Allocate(f, l.length); err != nil {
		return err
	}
	b, err := l.header()
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(b, 0); err != nil {
		return err
	}
	if locked, err := filelock.TryFile(f, false); err != nil || !locked {
		return errors.Join(err, ErrLocked)
	}
	return f.Sync()
}

// mayCreate returns early the errors that publish would return, and follows symbolic links to the file to be replaced.
func mayCreate(path string, replace bool) (string, error) {
	if _, err := vfs.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return path, nil
	} else if err == nil && !replace {
		return "", fs.ErrExist
	}
	path, err := atomicfile.Resolve(path)
	if err != nil {
		return "", err
	}
	f, err := lockToReplace(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	if err != nil {
		return "", err
	}
	return path, unlock(f)
}

// lockToReplace locks the file at path that is to be replaced.
func lockToReplace(path string) (vfs.File, error) {
	info, err := vfs.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("no regular file, which isn't replaced: %w", fs.ErrExist)
	}
	return lockedFile(path, toWrite, Options{})
}

// publish gives a file its name. Unless it replaces a file, the name must be free. After an error the name is
// unchanged, unless the old file was already replaced.
func publish(t *atomicfile.Temp, path string, replace bool) error {
	if replace {
		old, err := lockToReplace(path)
		if err == nil {
			return errors.Join(t.Replace(), unlock(old))
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	err := t.Publish()
	if errors.Is(err, atomicfile.ErrUnsynced) {
		err = errors.Join(err, vfs.Remove(path))
	}
	return err
}
