package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/shale-search/shale/internal/vfs"
)

// keepModes gives the directory from the mode and owner of the directory to, if there is one, and its files those of
// the files of the same names there or, of other names, those of the first file.
func keepModes(from, to string) error {
	old, err := vfs.Lstat(to)
	if err != nil || !old.IsDir() {
		return nil // nothing to keep
	}
	modes, first, err := fileModes(to)
	if err != nil {
		return err
	}
	entries, err := vfs.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		like := modes[e.Name()]
		if like == nil {
			like = first
		}
		if like == nil || !e.Type().IsRegular() {
			continue
		}
		if err := keepModeOf(filepath.Join(from, e.Name()), like); err != nil {
			return err
		}
	}
	return keepModeOf(from, old)
}

// fileModes gives the files in a directory, by name and the first of them.
func fileModes(dir string) (modes map[string]fs.FileInfo, first fs.FileInfo, err error) {
	entries, err := vfs.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	modes = map[string]fs.FileInfo{}
	for _, e := range entries {
		info, err := vfs.Lstat(filepath.Join(dir, e.Name()))
		if err != nil || !info.Mode().IsRegular() {
			continue // removed meanwhile, or no file
		}
		modes[e.Name()] = info
		if first == nil {
			first = info
		}
	}
	return modes, first, nil
}

func keepModeOf(path string, old fs.FileInfo) error {
	f, err := vfs.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(keepMode(f, old), f.Close())
}
