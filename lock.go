package shale

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/filelock"
)

// ErrLocked reports an index that another process is changing.
var ErrLocked = filelock.ErrHeld

// defaultWait is how long a change waits for that of another process.
const defaultWait = 30 * time.Second

// LockOptions says how to wait for another process that is changing an index.
type LockOptions struct {
	Wait    time.Duration // how long; default 30 seconds; below 0: not at all
	Waiting func()        // called once before waiting, if not nil
}

// limit is the longest wait.
func (o LockOptions) limit() time.Duration {
	if o.Wait == 0 {
		return defaultWait
	}
	return max(0, o.Wait)
}

// Lock keeps other processes from changing an index; they may read it. It isn't inherited by child processes.
type Lock struct {
	path string
	held *filelock.Lock // nil where nothing was at the path
}

// lockIndex locks the index at path, a directory or a file, until Close. Where nothing is at path it locks nothing. It
// returns an error with ErrLocked where another process keeps the lock for longer than o says.
func lockIndex(ctx context.Context, path string, o LockOptions) (*Lock, error) {
	path, err := target(path)
	if err != nil {
		return nil, err
	}
	l := &Lock{path: path}
	l.held, err = filelock.Acquire(ctx, path, filelock.Options{Wait: o.limit(), Waiting: o.Waiting})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return l, nil
	case errors.Is(err, ErrLocked) && o.limit() > 0:
		return nil, fmt.Errorf("%w: waited %v for it", err, o.limit())
	case err != nil:
		return nil, err
	}
	return l, nil
}

// Close unlocks the index.
func (l *Lock) Close() error {
	if l == nil {
		return nil
	}
	return l.held.Close()
}

// holds reports whether l locks what is at path now.
func (l *Lock) holds(path string) bool {
	return l != nil && l.held != nil && l.path == path && l.held.Names(path)
}

// follow locks the file that Save has put in the place of the one that l locks. Where another process was faster, l
// locks the old file, and the next Save finds out what that process did.
func (l *Lock) follow(ctx context.Context, path string) {
	if l == nil || l.held == nil || l.path != path || l.held.Names(path) {
		return
	}
	held, err := filelock.Acquire(ctx, path, filelock.Options{})
	if err != nil {
		return
	}
	_ = l.held.Close() // of a file that has no name any more
	l.held = held
}

// reserved reports whether l was taken for path while nothing was there.
func (l *Lock) reserved(path string) bool { return l != nil && l.held == nil && l.path == path }

// target is the cleaned path that an index is written to: where path is a symbolic link, what it leads to.
func target(path string) (string, error) {
	name, err := atomicfile.Resolve(filepath.Clean(path))
	return filepath.Clean(name), err
}

// lockFor locks what is at path for a change by x, unless x or the caller holds its lock. The lock that it
// returns is the caller's to close.
func (x *Index) lockFor(ctx context.Context, path string, o SaveOptions) (*Lock, error) {
	if x.lock.holds(path) || o.Held.holds(path) {
		return nil, nil
	}
	return lockIndex(ctx, path, o.Lock)
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
