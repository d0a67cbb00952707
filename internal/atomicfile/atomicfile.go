// Package atomicfile writes files and directories that appear whole or not at all. It writes them without a name, or
// under a temporary name beside the target, syncs them, moves them to the target in one step, and syncs the target's
// directory so that the new name survives a power cut.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/shale-search/shale/internal/filelock"
	"github.com/shale-search/shale/internal/vfs"
)

const bufferSize = 256 << 10

// ErrUnsynced means that the new file or directory is in place, but that its directory couldn't be synced: a power cut
// may bring the old one back.
var ErrUnsynced = errors.New("in place, but a power cut may undo that, since its directory can't be synced")

// File is a file that is being written. It isn't safe for concurrent use.
type File struct {
	temp *Temp // nil after Commit and Abort
	path string
}

// Create starts a file that replaces path on Commit. If path is a symbolic link, it replaces what the link leads to.
// Pipes and devices are refused, because a File isn't written in order. The caller must call Commit or Abort.
func Create(path string) (*File, error) { return CreateLike(path, "") }

// CreateLike is like Create. If path doesn't exist, the new file gets the mode and owner of the file at like.
func CreateLike(path, like string) (*File, error) {
	path, err := fileTarget(path)
	if err != nil {
		return nil, fmt.Errorf("create %w", err)
	}
	t, err := newTemp(path, like)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	return &File{temp: t, path: path}, nil
}

// Path returns the name that the file will have.
func (f *File) Path() string { return f.path }

// Write appends b.
func (f *File) Write(b []byte) (int, error) {
	if f.temp == nil {
		return 0, f.closed()
	}
	return f.temp.Write(b)
}

// WriteAt writes b at offset off, for headers that are known only at the end.
func (f *File) WriteAt(b []byte, off int64) (int, error) {
	if f.temp == nil {
		return 0, f.closed()
	}
	return f.temp.WriteAt(b, off)
}

// Settle writes what is there to the disk, and drops it from the page cache.
func (f *File) Settle() error {
	if f.temp == nil {
		return f.closed()
	}
	if err := f.temp.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	vfs.Uncache(f.temp)
	return nil
}

func (f *File) closed() error { return fmt.Errorf("write %s: %w", f.path, fs.ErrClosed) }

// Commit makes the file durable under its name. After an error the target is unchanged and nothing is left behind,
// unless the error is ErrUnsynced.
func (f *File) Commit() error {
	if f.temp == nil {
		return f.closed()
	}
	err := f.temp.Sync()
	if err == nil {
		err = f.temp.Replace()
	}
	if err != nil && !errors.Is(err, ErrUnsynced) {
		return errors.Join(fmt.Errorf("write %s: %w", f.path, err), f.Abort())
	}
	_ = filelock.Release(f.temp.File) // its content is on the disk
	f.temp = nil
	if err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	return nil
}

// Abort discards the file and leaves the target unchanged. After Commit it does nothing.
func (f *File) Abort() error {
	if f.temp == nil {
		return nil
	}
	err := f.temp.Drop()
	f.temp = nil
	if err != nil {
		return fmt.Errorf("drop the temporary file of %s: %w", f.path, err)
	}
	return nil
}

// Write replaces the content of path by what fill writes to a buffered writer. If fill fails or panics, path is
// unchanged. A pipe or device is written to directly.
func Write(path string, fill func(io.Writer) error) (err error) {
	stream, err := IsStream(path)
	if err != nil {
		return fmt.Errorf("write %w", err)
	}
	if stream {
		return writeStream(path, fill)
	}
	f, err := Create(path)
	if err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed {
			err = errors.Join(err, f.Abort())
		}
	}()
	w := bufio.NewWriterSize(f, bufferSize)
	if err := fill(w); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	committed = true // Commit cleans up after itself
	return f.Commit()
}

// Dir calls fill with a temporary directory beside dir, and then moves that to dir as Place does. After an error
// nothing is left of it, unless the error is ErrUnsynced.
func Dir(dir string, replace bool, fill func(temp string) error) error {
	d, err := NewDir(dir)
	if err != nil {
		return err
	}
	if err := fill(d.Path); err != nil {
		return errors.Join(err, d.Drop())
	}
	return d.Place(replace)
}

// TempDir is a directory with a temporary name beside the one whose place it is to take, locked against Clear.
type TempDir struct {
	Path string
	dir  string
	lock vfs.File
}

// NewDir creates a temporary directory beside dir. Place or Drop ends its use.
func NewDir(dir string) (*TempDir, error) {
	temp, lock, err := tempDir(dir)
	if err != nil {
		return nil, err
	}
	return &TempDir{temp, dir, lock}, nil
}

// Place moves the directory to its name as the function Place does. After an error nothing is left of it, unless the
// error is ErrUnsynced.
func (d *TempDir) Place(replace bool) error {
	err := Place(d.Path, d.dir, replace)
	if err != nil && !errors.Is(err, ErrUnsynced) { // else what was there before may have the temporary name
		return errors.Join(err, d.Drop())
	}
	_ = filelock.Release(d.lock) // opened for reading
	return err
}

// Drop removes the directory.
func (d *TempDir) Drop() error {
	defer func() { _ = filelock.Release(d.lock) }()
	return vfs.RemoveAll(d.Path)
}

// tempDir creates a directory with a temporary name beside dir and locks it against Clear.
func tempDir(dir string) (temp string, lock vfs.File, err error) {
	Clear(filepath.Dir(dir))
	for {
		temp = tempName(dir)
		if err := vfs.Mkdir(temp, 0o777); err != nil {
			return "", nil, err
		}
		if lock, err = vfs.OpenFile(temp, os.O_RDONLY, 0); err == nil {
			if hold(lock, temp) {
				return temp, lock, nil
			}
			_, _ = vfs.Remove(temp), filelock.Release(lock) // somebody else took it for left over
			continue
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue // so did somebody else, before it was locked
		}
		return "", nil, errors.Join(err, vfs.Remove(temp))
	}
}

// Place moves the directory from to the name to, durably, and gives it the mode and owner of a directory that is there.
// It replaces an empty directory or, if replace is true, anything, in one step.
func Place(from, to string, replace bool) error {
	// Opened now, so that a lack of descriptors can't prevent the sync after the renaming.
	parent, err := vfs.OpenFile(filepath.Dir(to), os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer parent.Close()
	if err := keepModes(from, to); err != nil {
		return err
	}
	own, err := vfs.Lstat(from)
	if err != nil {
		return err
	}
	exchanged := false
	err = vfs.Rename(from, to)
	if replace && (errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.ENOTDIR)) {
		err = vfs.Exchange(from, to)
		exchanged = true
	}
	if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("%s: %w: it appeared meanwhile", to, fs.ErrExist)
	}
	if err != nil {
		if known, placed := isAt(own, to); known && !placed {
			return err
		} else if !known { // what has the name from may be what was there before
			return fmt.Errorf("%s: %w: %w", to, ErrUnsynced, err)
		}
	}
	if err := vfs.SyncNames(parent); err != nil {
		return fmt.Errorf("%s: %w: %w", to, ErrUnsynced, err)
	}
	if !exchanged {
		return nil
	}
	if err := vfs.RemoveAll(from); err != nil {
		return fmt.Errorf("%s is in place, but what was there before stays as %s: %w", to, from, err)
	}
	return nil
}

// isAt reports whether the file own has the name path, if that can be found out: an operation may have been done and
// yet return an error.
func isAt(own fs.FileInfo, path string) (known, is bool) {
	there, err := vfs.Lstat(path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist), false
	}
	return true, os.SameFile(own, there)
}

// hold locks a file or directory that was created under a temporary name, and reports whether it still has that name.
// If the file system has no locks, Clear finds none either and removes nothing.
func hold(f vfs.File, name string) bool {
	if ok, err := filelock.TryFile(f, false); err == nil && !ok {
		return false
	}
	mine, err := f.Stat()
	if err != nil {
		return true // the next use of it will tell
	}
	there, err := vfs.Lstat(name)
	return err != nil && !errors.Is(err, fs.ErrNotExist) || err == nil && os.SameFile(mine, there)
}
