// Package atomicfile writes files that appear whole or not at all: to a temporary name beside the target, synced, renamed
// over it, and the directory synced so that the new name survives a power cut.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/renameio/v2"
)

const bufferSize = 256 << 10

// File is a file being written. It isn't safe for concurrent use.
type File struct {
	pending *renameio.PendingFile
	path    string
}

// Create starts a file that will replace path on Commit; where path is a symbolic link, what it leads to, and the link stays.
// Pipes and devices are refused, since a File is written out of order. One of Commit and Abort must be called.
func Create(path string) (*File, error) {
	path, err := fileTarget(path)
	if err != nil {
		return nil, fmt.Errorf("create %w", err)
	}
	// The temporary file lies beside the target: a rename across file systems isn't atomic.
	p, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithPermissions(0o644))
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	return &File{pending: p, path: path}, nil
}

// Path is the name the file will have.
func (f *File) Path() string { return f.path }

// Write appends b.
func (f *File) Write(b []byte) (int, error) { return f.pending.Write(b) }

// WriteAt writes b at offset off; headers that hold counts are filled in this way at the end.
func (f *File) WriteAt(b []byte, off int64) (int, error) { return f.pending.WriteAt(b, off) }

// Commit makes the file durable under its name. After an error the target is as it was and nothing is left behind,
// unless only the directory's sync failed.
func (f *File) Commit() error {
	if err := f.pending.CloseAtomicallyReplace(); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", f.path, err), f.Abort())
	}
	if err := SyncDir(filepath.Dir(f.path)); err != nil {
		return fmt.Errorf("write %s: sync its directory: %w", f.path, err)
	}
	return nil
}

// Abort drops what was written; the target stays as it was. After Commit it does nothing.
func (f *File) Abort() error {
	if err := f.pending.Cleanup(); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("drop the temporary file of %s: %w", f.path, err)
	}
	return nil
}

// Write makes path hold what fill writes, buffered; where fill fails or panics, path stays as it was. A pipe or device is
// written to.
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

// Dir lets fill write the content of a directory under a temporary name beside dir, and then place move it to where it belongs.
// After an error nothing is left of it.
func Dir(dir string, fill, place func(temp string) error) (err error) {
	temp, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+"-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temp))
		}
	}()
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	if err := fill(temp); err != nil {
		return err
	}
	return place(temp)
}

// SyncDir makes the names in a directory durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	// Some network file systems have no sync of directories and say so; the rename is then as durable as they make it.
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
