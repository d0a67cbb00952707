package filelock

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/shale-search/shale/internal/vfs"
	"golang.org/x/sys/windows"
)

func open(path string) (*os.File, error) { return vfs.System{}.Open(path) }

// lockedByte is the byte of a file that stands for its lock: one past the end of any file, since others can't read a
// byte that is locked.
var lockedByte = windows.Overlapped{Offset: 0xfffffffe, OffsetHigh: 0x3fffffff}

// directories holds what locks the directories that are locked, by the handles that they are open with.
var directories sync.Map // of uintptr to windows.Handle

// Unlock takes back the lock of an open file.
func Unlock(f File) error {
	if second, ok := directories.LoadAndDelete(f.Fd()); ok {
		return windows.CloseHandle(second.(windows.Handle))
	}
	err := unlockByte(f)
	if err == nil || errors.Is(err, windows.ERROR_NOT_LOCKED) || isDir(f) {
		return nil
	}
	return fmt.Errorf("unlock %s: %w", f.Name(), err)
}

// TryFile locks an open file, for its one user or for one of several. It reports false where another process, or
// another opening of the file, holds a lock that excludes this one. A directory must be unlocked before it is closed.
func TryFile(f File, shared bool) (bool, error) {
	if isDir(f) {
		return tryDirectory(f, shared)
	}
	locked, err := tryByte(f, shared)
	if err == nil && !locked && unlockByte(f) == nil { // the lock was one of f's
		locked, err = tryByte(f, shared)
	}
	if err != nil {
		return false, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return locked, nil
}

func tryByte(f File, shared bool) (bool, error) {
	flags := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if !shared {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	at := lockedByte
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return false, nil
	}
	return err == nil, err
}

func unlockByte(f File) error {
	at := lockedByte
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, &at)
}

func isDir(f File) bool {
	var info windows.ByHandleFileInformation
	err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &info)
	return err == nil && info.FileAttributes&windows.FILE_ATTRIBUTE_DIRECTORY != 0
}

// tryDirectory locks a directory by opening it a second time: for writing, and so that nobody else can do that. Reading
// the directory, and changing what is in it, go on.
func tryDirectory(f File, shared bool) (bool, error) {
	if _, ok := directories.Load(f.Fd()); ok {
		return true, nil
	}
	path, err := windows.UTF16PtrFromString(f.Name())
	if err != nil {
		return false, err
	}
	access, share := uint32(windows.GENERIC_READ|windows.GENERIC_WRITE),
		uint32(windows.FILE_SHARE_READ|windows.FILE_SHARE_DELETE)
	if shared { // others may read, and nobody may open it for writing
		access = windows.GENERIC_READ
	}
	second, err := windows.CreateFile(path, access, share, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_BACKUP_SEMANTICS, 0)
	if errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	if !sameFile(windows.Handle(f.Fd()), second) { // another has taken its name: what has no name has one user
		return true, windows.CloseHandle(second)
	}
	directories.Store(f.Fd(), second)
	return true, nil
}

func sameFile(a, b windows.Handle) bool {
	var x, y windows.ByHandleFileInformation
	if windows.GetFileInformationByHandle(a, &x) != nil || windows.GetFileInformationByHandle(b, &y) != nil {
		return false
	}
	return x.VolumeSerialNumber == y.VolumeSerialNumber && x.FileIndexHigh == y.FileIndexHigh &&
		x.FileIndexLow == y.FileIndexLow
}
