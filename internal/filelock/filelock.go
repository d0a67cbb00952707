// Package filelock keeps two processes from working in one directory. The system drops a lock when its process ends.
package filelock

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Try locks a directory or file, which must exist. It gives nil where another process holds the lock. Closing the file
// unlocks.
func Try(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil, f.Close()
	}
	return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
}

// File is an open file.
type File interface {
	Fd() uintptr
	Name() string
}

// Unlock takes back the lock of an open file, which else lasts as long as the file is open anywhere: a process that was forked
// has it open too.
func Unlock(f File) error {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_UN); err != nil {
		return fmt.Errorf("unlock %s: %w", f.Name(), err)
	}
	return nil
}

// TryFile locks an open file, for its one user or for one of several, as Try does. It reports false where another process, or
// another opening of the file, holds a lock that excludes this one. Closing the file unlocks.
func TryFile(f File, shared bool) (bool, error) {
	how := unix.LOCK_EX
	if shared {
		how = unix.LOCK_SH
	}
	err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		return false, nil
	}
	return false, fmt.Errorf("lock %s: %w", f.Name(), err)
}
