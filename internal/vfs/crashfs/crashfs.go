// Package crashfs is a file system for tests. Any operation can fail, be done by half, or be the last one before a
// power cut.
//
// It works in a directory of the system and records which of its contents are durable, by the rules that programs may
// rely on with the file systems of Linux: the content of a file is durable as of its last sync, and a name as of the
// last sync of its directory. What a failed sync should have written stays lost even if a later sync succeeds.
package crashfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/shale-search/shale/internal/vfs"
)

// ErrNoPower is the error of every operation after a power cut.
var ErrNoPower = errors.New("crashfs: the power is cut")

// FS implements vfs.FS.
type FS struct {
	// NoUnnamed makes Unnamed fail, as on file systems without unnamed files.
	NoUnnamed bool

	root  string
	fault Fault

	mu     sync.Mutex
	top    *node
	ops    []Op
	image  *Image // once the power is cut
	open   int    // files
	system vfs.System
}

// New returns a file system for the contents of root, all of which count as durable. Outside root it is the system's.
func New(root string, f Fault) (*FS, error) {
	x := &FS{root: filepath.Clean(root), fault: f}
	var err error
	x.top, err = scan(x.root)
	return x, err
}

// Use makes x the file system of package vfs until the test ends or the returned function is called.
func (x *FS) Use(t testing.TB) (stop func()) {
	before := vfs.Swap(x)
	var once sync.Once
	stop = func() { once.Do(func() { vfs.Swap(before) }) }
	t.Cleanup(stop)
	return stop
}

// Ops returns the operations so far.
func (x *FS) Ops() []Op {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]Op(nil), x.ops...)
}

// Unclosed returns the number of open files, not counting those opened by Open.
func (x *FS) Unclosed() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.open
}

// Image returns what the disk may hold after the power cut of the fault or, if there was none, after one now.
func (x *FS) Image() (*Image, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.image != nil {
		return x.image, nil
	}
	return x.take()
}

// take returns an image of the present state.
func (x *FS) take() (*Image, error) {
	if err := x.top.read(x.root); err != nil {
		return nil, err
	}
	return &Image{x.top.clone(map[*node]*node{})}, nil
}

// verdict is the outcome chosen for an operation.
type verdict struct {
	do, half, cut bool
	err           error
}

// begin counts an operation and returns its verdict. The caller holds the lock, and calls end when the operation is
// done.
func (x *FS) begin(name, path string, changes bool) verdict {
	if x.image != nil {
		return verdict{err: fmt.Errorf("%s %s: %w", name, path, ErrNoPower)}
	}
	op := Op{name, strings.TrimPrefix(path, x.root+"/"), changes}
	x.ops = append(x.ops, op)
	f := &x.fault
	n := len(x.ops)
	if f.At == 0 || n < f.At || n > f.At && (f.Lasting == nil || !f.Lasting(op)) {
		return verdict{do: true}
	}
	err := &fs.PathError{Op: name, Path: path, Err: f.Err}
	switch {
	case f.Kind == Misled:
		return verdict{do: true, err: err}
	case f.Kind == Tears && op.IsWrite():
		return verdict{half: true, err: err}
	case f.Kind == Cut:
		return verdict{do: true, cut: true}
	case f.Kind == TornCut && op.IsWrite():
		return verdict{half: true, cut: true, err: ErrNoPower}
	}
	return verdict{err: err}
}

// end cuts the power after an operation if the verdict says so.
func (x *FS) end(v verdict) {
	if !v.cut {
		return
	}
	image, err := x.take()
	if err != nil {
		panic(err)
	}
	x.image = image
}

// change performs an operation that may change the disk. It calls note, which may be nil, once do has succeeded.
func (x *FS) change(name, path string, do func() error, note func()) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	v := x.begin(name, path, true)
	if !v.do {
		return v.err
	}
	err := do()
	if err == nil && note != nil {
		note()
	}
	x.end(v)
	return errors.Join(err, v.err)
}

// look performs an operation that changes nothing.
func look[T any](x *FS, name, path string, do func(string) (T, error)) (T, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	v := x.begin(name, path, false)
	if !v.do || v.err != nil {
		var none T
		return none, v.err
	}
	got, err := do(path)
	x.end(v)
	return got, err
}

func (x *FS) inside(path string) bool { return path == x.root || strings.HasPrefix(path, x.root+"/") }

// place returns the directory of a path, and its name there.
func (x *FS) place(path string) (*node, string) {
	return x.find(filepath.Dir(path)), filepath.Base(path)
}

// find returns the node at path, or nil if there is none.
func (x *FS) find(path string) *node {
	n := x.top
	rest := strings.TrimPrefix(strings.TrimPrefix(path, x.root), "/")
	for rest != "" && n != nil {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		n = n.now[name]
	}
	return n
}

func (x *FS) put(path string, n *node) {
	if dir, name := x.place(path); dir != nil {
		if n == nil {
			delete(dir.now, name)
		} else {
			dir.now[name] = n
		}
	}
}

// Open implements vfs.FS.
func (x *FS) Open(name string) (*os.File, error) {
	if name = filepath.Clean(name); !x.inside(name) {
		return x.system.Open(name)
	}
	return look(x, "Open", name, x.system.Open)
}

// OpenFile implements vfs.FS.
func (x *FS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	if name = filepath.Clean(name); !x.inside(name) {
		return x.system.OpenFile(name, flag, perm)
	}
	kind := "OpenFile"
	if flag&os.O_CREATE != 0 {
		kind = "Create"
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	v := x.begin(kind, name, flag&(os.O_CREATE|os.O_TRUNC) != 0)
	if !v.do {
		return nil, v.err
	}
	f, err := x.system.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	n := x.find(name)
	if n == nil {
		n = newFile()
		x.put(name, n)
	}
	x.end(v)
	if v.err != nil {
		return nil, errors.Join(v.err, f.Close())
	}
	x.open++
	return &file{File: f, fs: x, n: n, path: name}, nil
}

// Unnamed implements vfs.FS.
func (x *FS) Unnamed(dir string, perm fs.FileMode) (vfs.File, error) {
	if dir = filepath.Clean(dir); !x.inside(dir) {
		return x.system.Unnamed(dir, perm)
	}
	if x.NoUnnamed {
		return nil, errors.ErrUnsupported
	}
	open := func(dir string) (vfs.File, error) { return x.system.Unnamed(dir, perm) }
	f, err := look(x, "Unnamed", dir, open)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.open++
	return &file{File: f, fs: x, n: newFile(), path: dir + "/(unnamed)"}, nil
}

// Link implements vfs.FS.
func (x *FS) Link(f vfs.File, name string) error {
	own, ok := f.(*file)
	if name = filepath.Clean(name); !ok || !x.inside(name) {
		return x.system.Link(f, name)
	}
	return x.change("Link", name, func() error { return x.system.Link(own.File, name) }, func() { x.put(name, own.n) })
}

// Rename implements vfs.FS.
func (x *FS) Rename(from, to string) error {
	from, to = filepath.Clean(from), filepath.Clean(to)
	if !x.inside(from) || !x.inside(to) {
		return x.system.Rename(from, to)
	}
	return x.change("Rename", to, func() error { return x.system.Rename(from, to) }, func() {
		n := x.find(from)
		x.put(from, nil)
		x.put(to, n)
	})
}

// Exchange implements vfs.FS.
func (x *FS) Exchange(a, b string) error {
	a, b = filepath.Clean(a), filepath.Clean(b)
	if !x.inside(a) || !x.inside(b) {
		return x.system.Exchange(a, b)
	}
	return x.change("Exchange", b, func() error { return x.system.Exchange(a, b) }, func() {
		n, m := x.find(a), x.find(b)
		x.put(a, m)
		x.put(b, n)
	})
}

// Remove implements vfs.FS.
func (x *FS) Remove(name string) error {
	if name = filepath.Clean(name); !x.inside(name) {
		return x.system.Remove(name)
	}
	return x.change("Remove", name, func() error { return x.system.Remove(name) }, func() { x.put(name, nil) })
}

// RemoveAll implements vfs.FS. It removes one file after another, each as an operation of its own.
func (x *FS) RemoveAll(name string) error {
	if name = filepath.Clean(name); !x.inside(name) {
		return x.system.RemoveAll(name)
	}
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.IsDir() {
		var entries []fs.DirEntry
		if entries, err = x.ReadDir(name); err != nil {
			return err
		}
		for _, e := range entries {
			if err := x.RemoveAll(filepath.Join(name, e.Name())); err != nil {
				return err
			}
		}
	}
	return x.Remove(name)
}

// Mkdir implements vfs.FS.
func (x *FS) Mkdir(name string, perm fs.FileMode) error {
	if name = filepath.Clean(name); !x.inside(name) {
		return x.system.Mkdir(name, perm)
	}
	return x.change("Mkdir", name, func() error { return x.system.Mkdir(name, perm) }, func() { x.put(name, newDir()) })
}

// ReadDir implements vfs.FS.
func (x *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	if name = filepath.Clean(name); !x.inside(name) {
		return x.system.ReadDir(name)
	}
	return look(x, "ReadDir", name, x.system.ReadDir)
}

// Stat implements vfs.FS.
func (x *FS) Stat(name string) (fs.FileInfo, error) {
	if name = filepath.Clean(name); !x.inside(name) {
		return x.system.Stat(name)
	}
	return look(x, "Stat", name, x.system.Stat)
}

// Lstat implements vfs.FS.
func (x *FS) Lstat(name string) (fs.FileInfo, error) {
	if name = filepath.Clean(name); !x.inside(name) {
		return x.system.Lstat(name)
	}
	return look(x, "Lstat", name, x.system.Lstat)
}

// names returns the names in either of two directories, in order.
func names(a, b map[string]*node) []string {
	var all []string
	for name := range a {
		all = append(all, name)
	}
	for name := range b {
		if a[name] == nil {
			all = append(all, name)
		}
	}
	sort.Strings(all)
	return all
}
