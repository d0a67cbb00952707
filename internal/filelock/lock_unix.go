//go:build unix

package filelock

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// open opens a file or directory. Opening a pipe would otherwise wait for its other end.
func open(path string) (*os.File, error) { return os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) }

// flock is the system call, which tests replace.
var flock = unix.Flock

// unsupported marks errors that say that the file system has no locks: some network file systems have none, and NFS
// none for directories, since it wants to have opened for writing what is locked.
func unsupported(err error) error {
	for _, none := range []error{unix.ENOLCK, unix.EOPNOTSUPP, unix.ENOSYS, unix.EBADF} {
		if errors.Is(err, none) {
			return fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
		}
	}
	return err
}

// Unlock takes back the lock of an open file, which else lasts as long as the file is open anywhere: a process
// that was forked has it open too.
func Unlock(f File) error {
	for {
		switch err := flock(int(f.Fd()), unix.LOCK_UN); err {
		case nil:
			return nil
		case unix.EINTR:
		default:
			if err := unsupported(err); !errors.Is(err, errors.ErrUnsupported) {
				return fmt.Errorf("unlock %s: %w", f.Name(), err)
			}
			return nil // there was no lock
		}
	}
}

// TryFile locks an open file, for its one user or for one of several. It reports false where another process, or
// another opening of the file, holds a lock that excludes this one, and returns errors.ErrUnsupported where the file
// system has no locks.
func TryFile(f File, shared bool) (bool, error) {
	how := unix.LOCK_EX
	if shared {
		how = unix.LOCK_SH
	}
	for {
		switch err := flock(int(f.Fd()), how|unix.LOCK_NB); err {
		case nil:
			return true, nil
		case unix.EWOULDBLOCK:
			return false, nil
		case unix.EINTR:
		default:
			return false, fmt.Errorf("lock %s: %w", f.Name(), unsupported(err))
		}
	}
}
