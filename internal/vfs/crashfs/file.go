package crashfs

import (
	"bytes"
	"errors"
	"io/fs"

	"github.com/shale-search/shale/internal/vfs"
)

// file is an open file or directory.
type file struct {
	vfs.File
	fs   *FS
	n    *node
	path string
}

var _ vfs.File = (*file)(nil)

// Name returns the name that the file was opened by.
func (f *file) Name() string { return f.path }

func (f *file) Read(b []byte) (int, error) {
	return look(f.fs, "Read", f.path, func(string) (int, error) { return f.File.Read(b) })
}

func (f *file) ReadAt(b []byte, off int64) (int, error) {
	return look(f.fs, "ReadAt", f.path, func(string) (int, error) { return f.File.ReadAt(b, off) })
}

func (f *file) Write(b []byte) (int, error) {
	return f.write("Write", b, func(b []byte) (int, error) { return f.File.Write(b) })
}

func (f *file) WriteAt(b []byte, off int64) (int, error) {
	return f.write("WriteAt", b, func(b []byte) (int, error) { return f.File.WriteAt(b, off) })
}

func (f *file) write(name string, b []byte, do func([]byte) (int, error)) (int, error) {
	x := f.fs
	x.mu.Lock()
	defer x.mu.Unlock()
	v := x.begin(name, f.path, true)
	if !v.do && !v.half {
		return 0, v.err
	}
	if v.half {
		b = b[:len(b)/2]
	}
	n, err := do(b)
	x.end(v)
	return n, errors.Join(err, v.err)
}

func (f *file) Stat() (fs.FileInfo, error) {
	return look(f.fs, "Stat", f.path, func(string) (fs.FileInfo, error) { return f.File.Stat() })
}

func (f *file) Truncate(size int64) error {
	return f.fs.change("Truncate", f.path, func() error { return f.File.Truncate(size) }, nil)
}

func (f *file) Allocate(size int64) error {
	return f.fs.change("Allocate", f.path, func() error { return f.File.Allocate(size) }, nil)
}

func (f *file) Chmod(mode fs.FileMode) error {
	return f.fs.change("Chmod", f.path, func() error { return f.File.Chmod(mode) }, nil)
}

func (f *file) Chown(uid, gid int) error {
	return f.fs.change("Chown", f.path, func() error { return f.File.Chown(uid, gid) }, nil)
}

// Sync makes the present state of the file or directory durable. It doesn't wait for the disk.
func (f *file) Sync() error {
	return f.sync("Sync", func() ([]byte, error) {
		info, err := f.File.Stat()
		if err != nil || info.IsDir() {
			return nil, err
		}
		b := make([]byte, info.Size())
		_, err = f.File.ReadAt(b, 0)
		return b, err
	})
}

// Msync makes b, a mapping of the file, durable.
func (f *file) Msync(b []byte) error {
	return f.sync("Msync", func() ([]byte, error) {
		if len(b) < len(f.n.kept) {
			return append(bytes.Clone(b), f.n.kept[len(b):]...), nil
		}
		return bytes.Clone(b), nil
	})
}

func (f *file) sync(name string, content func() ([]byte, error)) error {
	x := f.fs
	x.mu.Lock()
	defer x.mu.Unlock()
	v := x.begin(name, f.path, true)
	if x.image != nil {
		return v.err
	}
	b, err := content()
	if err != nil {
		return err
	}
	if v.do {
		f.n.sync(b)
	} else {
		f.n.lose(b)
	}
	x.end(v)
	return v.err
}

// Close closes the file, even if it returns an error.
func (f *file) Close() error {
	x := f.fs
	x.mu.Lock()
	defer x.mu.Unlock()
	v := x.begin("Close", f.path, false)
	err := f.File.Close()
	if err == nil {
		x.open--
	}
	x.end(v)
	return errors.Join(err, v.err)
}
