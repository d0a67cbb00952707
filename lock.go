package shale

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/shale-search/shale/internal/filelock"
	"github.com/shale-search/shale/internal/location"
)

// ErrLocked reports an index that another process is changing, or a live file that another has open.
var ErrLocked = filelock.ErrHeld

// reserve locks what is at the path of a build, if that can be written.
func (o *BuildOptions) reserve(ctx context.Context) (*location.Lock, error) {
	format := location.Auto
	if o.Live {
		format = location.Live
	}
	lock, err := location.Reserve(ctx, o.Path, location.ReserveOptions{
		Format: format, Replace: o.Replace, Lock: location.LockOptions{Wait: o.Wait, Waiting: o.Waiting},
	})
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%w: set Replace to build over it", err)
	}
	return lock, err
}

// lockFor locks what is at path for a change by x, unless x or the caller holds its lock. The lock that it
// returns is the caller's to close.
func (x *Index) lockFor(ctx context.Context, path string, o SaveOptions) (*location.Lock, error) {
	if x.lock.Holds(path) || o.held.Holds(path) {
		return nil, nil
	}
	return location.Acquire(ctx, path, location.LockOptions{Wait: o.Wait, Waiting: o.Waiting})
}

// version identifies a file: a later one at the same path is another version.
type version struct {
	path string
	info fs.FileInfo
}

// versionOf describes the file at path. Where there is none, the result is like no other.
func versionOf(path string) version {
	info, err := os.Stat(path)
	if err != nil {
		return version{path: path}
	}
	return version{path, info}
}

// samePlace reports whether both are the same file or directory, changed or not.
func (v version) samePlace(w version) bool {
	return v.info != nil && w.info != nil && os.SameFile(v.info, w.info)
}

// same reports whether both are the same file, unchanged.
func (v version) same(w version) bool {
	return v.samePlace(w) && v.info.Size() == w.info.Size() &&
		v.info.ModTime().Equal(w.info.ModTime())
}
