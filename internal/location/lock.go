package location

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/filelock"
)

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

// Acquire locks the index at path, a directory or a file, until Close. Where nothing is at path it locks nothing. It
// returns an error with filelock.ErrHeld where another process keeps the lock for longer than o says.
func Acquire(ctx context.Context, path string, o LockOptions) (*Lock, error) {
	path, err := Target(path)
	if err != nil {
		return nil, err
	}
	l := &Lock{path: path}
	l.held, err = filelock.Acquire(ctx, path, filelock.Options{Wait: o.limit(), Waiting: o.Waiting})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return l, nil
	case errors.Is(err, filelock.ErrHeld) && o.limit() > 0:
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

// Holds reports whether l locks what is at path now.
func (l *Lock) Holds(path string) bool {
	return l != nil && l.held != nil && l.path == path && l.held.Names(path)
}

// Follow locks the file that Save has put in the place of the one that l locks. Where another process was faster, l
// locks the old file, and the next Save finds out what that process did.
func (l *Lock) Follow(ctx context.Context, path string) {
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

// Reserved reports whether l was taken for path while nothing was there.
func (l *Lock) Reserved(path string) bool { return l != nil && l.held == nil && l.path == path }

// Target is the cleaned path that an index is written to: where path is a symbolic link, what it leads to.
func Target(path string) (string, error) {
	name, err := atomicfile.Resolve(filepath.Clean(path))
	return filepath.Clean(name), err
}
