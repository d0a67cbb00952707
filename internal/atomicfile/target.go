package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"

	"github.com/shale-search/shale/internal/vfs"
)

// ErrNotFile reports an output that is a pipe, a device or a socket where a file is needed.
var ErrNotFile = errors.New("a pipe or device can't be written to in this way: give the name of a file")

// maxLinks is how many symbolic links are followed, as many as Linux follows.
const maxLinks = 40

// Resolve returns the name that a new version of path is to be renamed to: path itself or, if it is a symbolic link,
// the name that the link leads to, whether anything has that name or not. Links in the place of directories on the way
// stay as they are. What is there may be a pipe or device: see IsStream.
func Resolve(path string) (string, error) {
	name := path
	for range maxLinks {
		info, err := vfs.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink == 0 {
			return name, nil
		}
		if err != nil {
			return "", err
		}
		if descriptor.MatchString(inDirectory(name)) {
			return name, nil // the link's text is no path where it leads to a pipe
		}
		to, err := os.Readlink(name)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(to) {
			// Not Join, which would take "link/.." out of the path, where link may lead to somewhere else.
			to = filepath.Dir(name) + string(filepath.Separator) + to
		}
		name = to
	}
	return "", &fs.PathError{Op: "resolve", Path: path, Err: syscall.ELOOP}
}

// descriptor matches the links to the open files of a process.
var descriptor = regexp.MustCompile(`^/proc/(self|thread-self|[0-9]+)(/task/[0-9]+)?/fd/([0-9]+)$`)

// inDirectory returns a path whose directory has no links in it, if the directory exists.
func inDirectory(path string) string {
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// IsStream reports whether path leads to something that is written to in order, and not replaced: a pipe, a socket, a
// character device or an open file of a process such as /dev/stdout. A block device is neither a file nor a stream:
// ErrNotFile.
func IsStream(path string) (bool, error) {
	name, err := Resolve(path)
	if err != nil {
		return false, err
	}
	info, err := vfs.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case info.Mode()&fs.ModeDevice != 0 && info.Mode()&fs.ModeCharDevice == 0:
		return false, fmt.Errorf("%s: it is a block device: %w", path, ErrNotFile)
	}
	return descriptor.MatchString(inDirectory(name)) ||
		info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket|fs.ModeCharDevice) != 0, nil
}

// fileTarget returns the name to rename a file to that is to be at path. Streams and directories are refused.
func fileTarget(path string) (string, error) {
	stream, err := IsStream(path)
	if err != nil {
		return "", err
	}
	if stream {
		return "", fmt.Errorf("%s: %w", path, ErrNotFile)
	}
	name, err := Resolve(path)
	if err != nil {
		return "", err
	}
	if info, err := vfs.Stat(name); err == nil && info.IsDir() {
		return "", &fs.PathError{Op: "write", Path: path, Err: syscall.EISDIR}
	}
	return name, nil
}

// openStream opens what IsStream reports to be one. An open file of this process is written to from where it stands.
func openStream(path string) (io.WriteCloser, error) {
	name, err := Resolve(path)
	if err != nil {
		return nil, err
	}
	m := descriptor.FindStringSubmatch(inDirectory(name))
	if own := inDirectory("/proc/self/fd"); m == nil || filepath.Dir(inDirectory(name)) != own {
		return os.OpenFile(name, os.O_WRONLY, 0)
	}
	fd, err := strconv.Atoi(m[3])
	if err == nil {
		fd, err = duplicate(fd)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// writeStream writes to what IsStream reports to be one.
func writeStream(path string, fill func(io.Writer) error) error {
	f, err := openStream(path)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	w := bufio.NewWriterSize(f, bufferSize)
	err = fill(w)
	if err == nil {
		err = w.Flush()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
