package collection

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/vfs"
)

// Snapshot writes the collection as it is now to dir, where nothing may be. It appears whole or not at all. Changes
// wait for a moment, and go on while files are written. A snapshot is a collection: Verify checks it and Open opens
// it. Restore copies it. Files that never change are the collection's own under another name, where the file system
// allows that, and so take no room until the collection replaces them.
func (c *Collection) Snapshot(ctx context.Context, dir string) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	dir = filepath.Clean(dir)
	err := atomicfile.Dir(dir, false, func(temp string) error {
		s, err := c.checkpoint(temp)
		if err != nil {
			return err
		}
		return errors.Join(c.linkSegments(ctx, s, temp), s.release(), vfs.SyncDir(temp))
	})
	if err != nil {
		return fmt.Errorf("snapshot %s: %w", dir, err)
	}
	return nil
}

// checkpoint writes the store to a directory and returns the state that belongs to it, which the caller must release.
func (c *Collection) checkpoint(dir string) (*state, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.db.Checkpoint(filepath.Join(dir, storeDir), pebble.WithFlushedWAL()); err != nil {
		return nil, err
	}
	return c.pin(), nil
}

// linkSegments gives the files of a state's sealed segments names in another directory.
func (c *Collection) linkSegments(ctx context.Context, s *state, dir string) error {
	to := filepath.Join(dir, segmentsDir)
	if err := vfs.Mkdir(to, 0o777); err != nil {
		return err
	}
	for _, v := range s.views[:s.unsealed()] {
		for i, x := range v.indexes {
			if x == nil {
				continue
			}
			name := segmentName(v.number, i)
			err := copyDir(ctx, filepath.Join(c.dir, segmentsDir, name), filepath.Join(to, name), anyFile)
			if err != nil {
				return err
			}
		}
	}
	return vfs.SyncDir(to)
}

// Restore makes a collection at dir, where nothing may be, of a snapshot, which stays as it is. The copy is verified:
// if something is wrong with it, nothing is left of it. Nobody may write to the snapshot meanwhile.
func Restore(ctx context.Context, snapshot, dir string) error {
	snapshot = filepath.Clean(snapshot)
	lock, err := lockCollection(ctx, snapshot, Options{})
	if err != nil {
		return fmt.Errorf("restore %s: %w", snapshot, err)
	}
	defer lock.Close()
	err = atomicfile.Dir(filepath.Clean(dir), false, func(temp string) error {
		for _, name := range []string{storeDir, segmentsDir} {
			err := copyDir(ctx, filepath.Join(snapshot, name), filepath.Join(temp, name), neverChanges)
			if err != nil {
				return err
			}
		}
		r, err := verifyDir(ctx, temp)
		return errors.Join(append(r.Problems, err, vfs.SyncDir(temp))...)
	})
	if err != nil {
		return fmt.Errorf("restore %s to %s: %w", snapshot, dir, err)
	}
	return nil
}

func anyFile(string) bool { return true }

// neverChanges reports whether a file of a collection is written only once: those of segments and the store's tables.
// The store appends to others.
func neverChanges(path string) bool {
	return strings.HasSuffix(path, ".sst") || filepath.Base(filepath.Dir(filepath.Dir(path))) == segmentsDir
}

// copyDir makes a directory with the files of another one, durably. Those that linked allows are the same files under
// another name, where the file system can do that.
func copyDir(ctx context.Context, from, to string, linked func(path string) bool) error {
	if err := vfs.Mkdir(to, 0o777); err != nil {
		return err
	}
	entries, err := vfs.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		source, target := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		switch {
		case e.IsDir():
			err = copyDir(ctx, source, target, linked)
		case !e.Type().IsRegular():
			err = fmt.Errorf("%s: it is no regular file", source)
		default:
			err = copyFile(source, target, linked(source))
		}
		if err != nil {
			return err
		}
	}
	return vfs.SyncDir(to)
}

// copyFile gives a file another name, or writes a copy of it.
func copyFile(from, to string, link bool) (err error) {
	source, err := vfs.OpenFile(from, os.O_RDONLY|vfs.NoFollow, 0)
	if err != nil {
		return err
	}
	defer source.Close()
	if link && vfs.Link(source, to) == nil {
		return nil
	}
	target, err := vfs.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	if err == nil {
		err = target.Sync()
	}
	return errors.Join(err, target.Close())
}
