package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// Unnamed creates a file without a name.
func (System) Unnamed(dir string, perm fs.FileMode) (File, error) {
	if !hasDescriptors() { // Link would fail
		return nil, fmt.Errorf("a file without a name in %s: %w", dir, errors.ErrUnsupported)
	}
	fd, err := unix.Open(dir, unix.O_RDWR|unix.O_TMPFILE|unix.O_CLOEXEC, uint32(perm.Perm()))
	// Kernels and file systems without such files return one of these errors.
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EINVAL) {
		err = errors.ErrUnsupported
	}
	if err != nil {
		return nil, fmt.Errorf("a file without a name in %s: %w", dir, err)
	}
	return file{os.NewFile(uintptr(fd), filepath.Join(dir, "(unnamed)"))}, nil
}

// hasDescriptors reports whether open files can be reached by paths with their descriptors.
var hasDescriptors = sync.OnceValue(func() bool {
	_, err := os.Stat("/proc/self/fd")
	return err == nil
})

// DescriptorPath returns a path by which this process can open f again, even if f has no name.
func DescriptorPath(f File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

// Link gives a file a name.
func (System) Link(f File, name string) error {
	if !hasDescriptors() {
		return os.Link(f.Name(), name)
	}
	from := DescriptorPath(f)
	if err := unix.Linkat(unix.AT_FDCWD, from, unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW); err != nil {
		return &os.LinkError{Op: "link", Old: f.Name(), New: name, Err: err}
	}
	return nil
}

// Uncache drops what is on the disk of f from the page cache, but for mapped pages: it was read or written once and
// gives way to what is used often. A failure costs only memory.
func Uncache(f interface{ Fd() uintptr }) { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }

// Exchange swaps two names.
func (System) Exchange(a, b string) error {
	if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
		return &os.LinkError{Op: "exchange", Old: a, New: b, Err: err}
	}
	return nil
}

func (f file) Allocate(size int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, 0, size)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS):
			return fmt.Errorf("room for %d bytes in %s: %w", size, f.Name(), errors.ErrUnsupported)
		}
		return fmt.Errorf("room for %d bytes in %s: %w", size, f.Name(), err)
	}
}
