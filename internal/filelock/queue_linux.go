package filelock

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// queueAt is a byte past the end of any file.
const queueAt = 1<<62 - 1

// Queue lets an open file stand first among those that wait for a lock by TryFile: for one user, or beside others that
// want a lock for several. It reports false where another stands there. Without a queue a lock for one user would have
// to wait for a moment in which none of many others, who come and go, holds a lock.
func Queue(f File, shared bool) (bool, error) {
	how := int16(unix.F_WRLCK)
	if shared {
		how = unix.F_RDLCK
	}
	err := setQueue(f, how)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES):
		return false, nil
	case errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOLCK) || errors.Is(err, unix.EOPNOTSUPP):
		return true, nil // file systems without such locks have no queue
	}
	return false, fmt.Errorf("queue for the lock of %s: %w", f.Name(), err)
}

// Unqueue lets others stand first.
func Unqueue(f File) { _ = setQueue(f, unix.F_UNLCK) } // where there is a queue that can't fail

func setQueue(f File, how int16) error {
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: how, Start: queueAt, Len: 1})
}
