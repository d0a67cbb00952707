package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Flags of OpenFile besides those of the package os. Their bits are none of its flags.
const (
	NoFollow  = 1 << 28 // a symbolic link at the end of the path is the error ELOOP
	NonBlock  = 0       // opening a pipe never waits for its other end
	Directory = 1 << 29 // anything but a directory is the error ENOTDIR
)

// shareAll lets others read, write, rename and remove a file that is open here, as they can elsewhere.
const shareAll = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE

// InUse reports whether err says that a file can't be replaced or removed while somebody has it open or mapped.
func InUse(err error) bool {
	for _, code := range []error{
		windows.ERROR_SHARING_VIOLATION, windows.ERROR_LOCK_VIOLATION,
		windows.ERROR_USER_MAPPED_FILE, windows.ERROR_ACCESS_DENIED, // both for mapped files
	} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}

// Open opens a file or directory for reading.
func (System) Open(name string) (*os.File, error) { return open(name, os.O_RDONLY) }

// OpenFile opens a file or directory.
func (System) OpenFile(name string, flag int, _ fs.FileMode) (File, error) {
	f, err := open(name, flag)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && flag&NoFollow != 0 && info.Mode()&fs.ModeSymlink != 0 {
		err = &fs.PathError{Op: "open", Path: name, Err: syscall.ELOOP}
	} else if err == nil && flag&Directory != 0 && !info.IsDir() {
		err = &fs.PathError{Op: "open", Path: name, Err: syscall.ENOTDIR}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return file{f, info.IsDir()}, nil
}

// open is os.OpenFile for files that may be renamed and removed while they are open, which takes away no other's right
// to do so. A file that it makes has the access list that its directory gives it.
func open(name string, flag int) (*os.File, error) {
	handle, err := create(name, flag)
	if err == nil && flag&os.O_TRUNC != 0 {
		if err = windows.Ftruncate(handle, 0); err != nil {
			_ = windows.CloseHandle(handle) // nothing was written
		}
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(handle), name), nil
}

func create(name string, flag int) (windows.Handle, error) {
	path, err := wide(name)
	if err != nil {
		return windows.InvalidHandle, err
	}
	access := uint32(windows.GENERIC_READ)
	switch flag & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR) {
	case os.O_WRONLY:
		access = windows.GENERIC_WRITE
	case os.O_RDWR:
		access |= windows.GENERIC_WRITE
	}
	how := uint32(windows.OPEN_EXISTING)
	switch {
	case flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL:
		how = windows.CREATE_NEW
	case flag&os.O_CREATE != 0:
		how = windows.OPEN_ALWAYS
	}
	attributes := uint32(windows.FILE_ATTRIBUTE_NORMAL | windows.FILE_FLAG_BACKUP_SEMANTICS) // which opens directories
	if flag&NoFollow != 0 {
		attributes |= windows.FILE_FLAG_OPEN_REPARSE_POINT
	}
	return windows.CreateFile(path, access, shareAll, nil, how, attributes, 0)
}

// The time for which Rename tries again while somebody, such as a virus scanner, has a file open.
const (
	renameFor   = 500 * time.Millisecond
	renamePause = 10 * time.Millisecond
)

// Rename renames a file or directory. What has the name to gives way if it is a file, or an empty directory that
// another directory replaces. A file that is mapped doesn't: see InUse.
func (System) Rename(from, to string) error {
	for end := time.Now().Add(renameFor); ; time.Sleep(renamePause) {
		err := rename(from, to)
		if err == nil {
			return nil
		}
		if !InUse(err) || !time.Now().Before(end) {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
		}
	}
}

func rename(from, to string) error {
	what, err := os.Lstat(from)
	if err != nil {
		return errors.Unwrap(err)
	}
	there, err := os.Lstat(to)
	switch {
	case err != nil || os.SameFile(what, there): // nothing gives way
	case what.IsDir() && !there.IsDir():
		return syscall.ENOTDIR
	case !what.IsDir() && there.IsDir():
		return syscall.EISDIR
	case what.IsDir():
		if err := os.Remove(to); err != nil {
			return errors.Unwrap(err)
		}
	default:
		err := renamePOSIX(from, to)
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	old, err := wide(from)
	if err != nil {
		return err
	}
	path, err := wide(to)
	if err != nil {
		return err
	}
	return windows.MoveFileEx(old, path, windows.MOVEFILE_REPLACE_EXISTING|windows.MOVEFILE_WRITE_THROUGH)
}

// renameInfo is FILE_RENAME_INFO, without the name at its end.
type renameInfo struct {
	flags  uint32
	root   windows.Handle
	length uint32 // of the name, in bytes
	name   [1]uint16
}

// renamePOSIX renames a file in the place of another, which may be open. Its error is errors.ErrUnsupported where the
// system or the file system can't do that.
func renamePOSIX(from, to string) error {
	old, err := wide(from)
	if err != nil {
		return err
	}
	if to, err = filepath.Abs(to); err != nil {
		return err
	}
	name, err := windows.UTF16FromString(to)
	if err != nil {
		return err
	}
	f, err := windows.CreateFile(old, windows.DELETE|windows.SYNCHRONIZE, shareAll, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_BACKUP_SEMANTICS|windows.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(f)
	b := make([]uint64, (unsafe.Sizeof(renameInfo{})+2*uintptr(len(name)))/8+1) // aligned
	size := 8 * len(b)
	info := (*renameInfo)(unsafe.Pointer(&b[0]))
	info.flags = windows.FILE_RENAME_REPLACE_IF_EXISTS | windows.FILE_RENAME_POSIX_SEMANTICS
	info.length = uint32(2 * (len(name) - 1))
	copy(unsafe.Slice(&info.name[0], len(name)), name)
	err = windows.SetFileInformationByHandle(f, windows.FileRenameInfoEx, (*byte)(unsafe.Pointer(&b[0])), uint32(size))
	for _, code := range []error{
		windows.ERROR_INVALID_PARAMETER, windows.ERROR_INVALID_FUNCTION, windows.ERROR_NOT_SUPPORTED,
		windows.ERROR_CALL_NOT_IMPLEMENTED,
	} {
		if errors.Is(err, code) {
			return errors.ErrUnsupported
		}
	}
	return err
}

// wide is a path as the system takes it, however long it is.
func wide(name string) (*uint16, error) {
	const longest = 247 // of a path that needs no prefix
	if len(name) > longest {
		abs, err := filepath.Abs(name)
		if err != nil {
			return nil, err
		}
		if filepath.VolumeName(abs) != "" && abs[0] != '\\' {
			name = `\\?\` + abs
		}
	}
	return windows.UTF16PtrFromString(name)
}

// Stat describes the file with the given name. It follows symbolic links.
func (System) Stat(name string) (fs.FileInfo, error) { return identified(os.Stat(name)) }

// Lstat describes the file with the given name. It doesn't follow symbolic links.
func (System) Lstat(name string) (fs.FileInfo, error) { return identified(os.Lstat(name)) }

// identified lets a description hold the file's identity, which the package os else asks for by name when two are
// compared, of the file that has the name then.
func identified(info fs.FileInfo, err error) (fs.FileInfo, error) {
	if err == nil {
		os.SameFile(info, info)
	}
	return info, err
}

type file struct {
	*os.File
	dir bool
}

// Sync writes a file to the disk. Directories have no such operation here: the file system keeps a log of names.
func (f file) Sync() error {
	if f.dir {
		return errors.ErrUnsupported
	}
	return f.File.Sync()
}

// Chown does nothing: access lists, which a file has from its directory, are in the place of owners.
func (f file) Chown(int, int) error { return nil }

// Allocate gives a file size bytes. The file system gives it the room at once.
func (f file) Allocate(size int64) error { return f.Truncate(size) }

func (f file) Msync(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	err := windows.FlushViewOfFile(uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if err == nil {
		err = windows.FlushFileBuffers(windows.Handle(f.Fd()))
	}
	if err != nil {
		return fmt.Errorf("msync %s: %w", f.Name(), err)
	}
	return nil
}
