// Package filelock keeps two processes from writing to one file or directory. The system
// drops a lock when its process ends.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// ErrHeld reports a lock that somebody else holds: another process, or another opening of the file in this one.
var ErrHeld = errors.New("it is open elsewhere, and only one may change it")

// Lock is a lock of one file or directory.
type Lock struct {
	f   *os.File
	pid int
}

// Options says how long to wait for a lock. The zero value doesn't wait.
type Options struct {
	Wait    time.Duration
	Waiting func() // called once before waiting, if not nil
}

// The pauses between two looks at a lock that is held.
const (
	firstPause = time.Millisecond
	lastPause  = 50 * time.Millisecond
)

// Acquire locks what has the name path, which must exist. Where that is replaced while Acquire waits, it locks what has
// taken its place. It returns an error with ErrHeld when the time is over, or that of ctx when ctx ends.
func Acquire(ctx context.Context, path string, o Options) (*Lock, error) {
	end := time.Now().Add(o.Wait)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		l, err := Try(path)
		if err == nil && l.Names(path) {
			return l, nil
		}
		if err == nil { // another took its place after it was opened
			if err := l.Close(); err != nil {
				return nil, err
			}
			continue
		}
		if !errors.Is(err, ErrHeld) || !time.Now().Before(end) {
			return nil, err
		}
		if o.Waiting != nil {
			o.Waiting()
			o.Waiting = nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// Try locks a file or directory, which must exist, or returns an error with ErrHeld at once. Where the file system has
// no locks it warns, once a process, and goes on without.
func Try(path string) (*Lock, error) {
	f, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	ok, err := TryIfSupported(f)
	if err == nil && !ok {
		err = fmt.Errorf("lock %s: %w", path, ErrHeld)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Lock{f, os.Getpid()}, nil
}

// TryIfSupported locks an open file for its one user, as TryFile does. Where the file system has no locks it warns,
// once a process, and reports true.
func TryIfSupported(f File) (bool, error) {
	ok, err := TryFile(f, false)
	if errors.Is(err, errors.ErrUnsupported) {
		warned.Do(func() {
			slog.Warn("the file system has no locks: let one process at a time change the index", "path", f.Name(), "error", err)
		})
		return true, nil
	}
	return ok, err
}

var warned sync.Once

// Names reports whether path still is the name of what is locked.
func (l *Lock) Names(path string) bool {
	held, err := l.f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(held, there)
}

// Info describes what is locked.
func (l *Lock) Info() (fs.FileInfo, error) { return l.f.Stat() }

// Close unlocks. A nil Lock holds nothing.
func (l *Lock) Close() error {
	if l == nil {
		return nil
	}
	if l.pid == os.Getpid() {
		return Release(l.f)
	}
	return l.f.Close() // in a child of fork: the lock is the parent's
}

// File is an open file.
type File interface {
	Fd() uintptr
	Name() string
	Close() error
}

// Release unlocks a file that TryFile locked, and closes it. Closing alone leaves the lock to a child of
// fork that has the descriptor too.
func Release(f File) error { return errors.Join(Unlock(f), f.Close()) }
