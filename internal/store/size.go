package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/shale-search/shale/internal/atomicfile"
)

// SizeOnDisk returns the bytes of an index's file, or of all files in its directory.
func SizeOnDisk(path string) (int64, error) {
	size := int64(0)
	top, err := atomicfile.Resolve(filepath.Clean(path)) // WalkDir doesn't follow a link
	if err == nil {
		err = filepath.WalkDir(top, func(name string, e fs.DirEntry, err error) error {
			var info fs.FileInfo
			if err == nil && !e.IsDir() {
				info, err = e.Info()
			}
			if errors.Is(err, fs.ErrNotExist) && name != top {
				return nil // a writer has removed it meanwhile
			}
			if info != nil {
				size += info.Size()
			}
			return err
		})
	}
	if err != nil {
		return 0, fmt.Errorf("size of %s: %w", path, err)
	}
	return size, nil
}
