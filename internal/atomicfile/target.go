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

// ErrNotFile means that an output is a pipe, a device or a socket where a file is needed.
var ErrNotFile = errors.New("a pipe or device can't be written to in this way: give the name of a file")

// maxLinks is the number of symbolic links that are followed, as in Linux.
const maxLinks = 40

// Resolve returns the name that a new version of path must be renamed to: path or, if it is a symbolic link, the name
// that the link leads to. Links among the directories on the way stay. The result may be a pipe or device: see
// IsStream.
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
			// Not Join, which would simplify "link/..", although link may lead elsewhere.
			to = filepath.Dir(name) + string(filepath.Separator) + to
		}
		name = to
	}
	return "", &fs.PathError{Op: "resolve", Path: path, Err: syscall.ELOOP}
}

// descriptor matches the links to the open files of a process.
var descriptor = regexp.MustCompile(`^/proc/(self|thread-self|[0-9]+)(/task/[0-9]+)?/fd/([0-9]+)$`)

// inDirectory returns path with the links in its directory resolved, if the directory exists.
func inDirectory(path string) string {
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// IsStream reports whether path leads to something that is written in order and not replaced: a pipe, a socket, a
// character device, or an open file of a process such as /dev/stdout. A block device is neither file nor stream: the
// error is ErrNotFile.
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

// fileTarget returns the name that a new file for path must be renamed to. Streams and directories are refused.
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

// openStream opens a stream for writing. An open file of this process is written from its present position on.
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

// writeStream writes to a stream.
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
