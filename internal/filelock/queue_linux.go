package filelock

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// queueAt is a byte past the end of any file.
const queueAt = 1<<62 - 1

// Queue puts an open file at the head of those that wait for a lock by TryFile, either for an exclusive lock or beside
// others that want a shared one. It reports false if another file is there. Without a queue an exclusive lock would
// have to wait for a moment in which none of many readers, who come and go, holds a lock.
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

// Unqueue gives up the place at the head.
func Unqueue(f File) { _ = setQueue(f, unix.F_UNLCK) } // where there is a queue that can't fail

func setQueue(f File, how int16) error {
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: how, Start: queueAt, Len: 1})
}
