package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/shale-search/shale/internal/filelock"
	"github.com/shale-search/shale/internal/vfs"
)

// lockedFile opens the live file at path and locks it, exclusively for a writer or shared for readers. It waits as the
// options say.
func lockedFile(path string, a access, o Options) (vfs.File, error) {
	flag := os.O_RDONLY
	if a == toWrite {
		flag = os.O_RDWR
	}
	for w := (waiter{path: path, o: o}); ; {
		f, err := vfs.OpenFile(path, flag, 0)
		if err != nil {
			return nil, err
		}
		err = w.lock(f, a != toWrite)
		if err == nil {
			return f, nil
		}
		if errors.Is(err, errReplaced) {
			err = nil // and the next one is locked
		}
		if err := errors.Join(err, unlock(f)); err != nil {
			return nil, err
		}
	}
}

// lock waits for the lock of f. It returns errReplaced if path names another file by then.
func (w *waiter) lock(f vfs.File, shared bool) (err error) {
	defer filelock.Unqueue(f)
	for first := false; ; {
		if !first {
			if first, err = filelock.Queue(f, shared); err != nil {
				return err
			}
		}
		locked := false
		if first {
			if locked, err = filelock.TryFile(f, shared); err != nil {
				return err
			}
		}
		if err := isAt(f, w.path); err != nil || locked {
			return err
		}
		if err := w.wait(); err != nil {
			return err
		}
	}
}

// errReplaced means that another file has taken the place of this one.
var errReplaced = errors.New("the file was replaced")

// isAt returns errReplaced if path names another file than f, which was then replaced while its lock was waited for.
func isAt(f vfs.File, path string) error {
	open, err := f.Stat()
	if err != nil {
		return err
	}
	there, err := vfs.Stat(path)
	if err == nil && !os.SameFile(open, there) {
		err = errReplaced
	}
	return err
}

// opened holds the live files that this process has mapped.
var opened fileSet

// fileSet is a set of files, each as often as it was added.
type fileSet struct {
	mu    sync.Mutex
	files []fs.FileInfo
}

func (s *fileSet) add(f fs.FileInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files = append(s.files, f)
}

func (s *fileSet) remove(f fs.FileInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.index(f); i >= 0 {
		s.files = slices.Delete(s.files, i, i+1)
	}
}

// has reports whether path names one of the files.
func (s *fileSet) has(path string) bool {
	f, err := vfs.Stat(path)
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.index(f) >= 0
}

func (s *fileSet) index(f fs.FileInfo) int {
	return slices.IndexFunc(s.files, func(other fs.FileInfo) bool { return os.SameFile(f, other) })
}

const (
	firstPause = 2 * time.Millisecond
	maxPause   = 50 * time.Millisecond
)

// waiter waits for one lock.
type waiter struct {
	path  string
	o     Options
	began time.Time
	pause time.Duration
}

// wait waits a little. It returns an error once the limit has passed.
func (w *waiter) wait() error {
	switch {
	case opened.has(w.path):
		return fmt.Errorf("%s: %w: this process has it open", w.path, ErrLocked)
	case w.o.Wait <= 0:
		return fmt.Errorf("%s: %w", w.path, ErrLocked)
	case w.began.IsZero():
		w.began, w.pause = time.Now(), firstPause
		if w.o.Waiting != nil {
			w.o.Waiting()
		}
	case time.Since(w.began) >= w.o.Wait:
		return fmt.Errorf("%s: %w: waited %v for it", w.path, ErrLocked, w.o.Wait)
	}
	time.Sleep(min(w.pause, max(0, w.o.Wait-time.Since(w.began))))
	w.pause = min(2*w.pause, maxPause)
	return nil
}
