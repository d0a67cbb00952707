package shard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/filelock"
	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/internal/vfs"
)

// The directory of a build holds a note that says what is built, and the index as far as it is complete.
// Publishing moves only the index; an index that it replaces comes into the directory in exchange, until it
// is removed. The note holds the checksum of the new index's manifest, which distinguishes the two, however
// early or late a build was killed.
const (
	noteFile  = "build.json"
	indexPart = "index"
)

// note identifies the index that is being built.
type note struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	From    string `json:"from"` // the input and the options
	// Manifest is the checksum of the manifest of the complete index, once there is one.
	Manifest string `json:"manifest_crc32c,omitempty"`
}

const (
	noteFormat  = "shale build"
	noteVersion = 1
	longestNote = 1 << 20 // bytes
)

// buildDir is the directory of a build, open and locked.
type buildDir struct {
	path string
	lock vfs.File
}

// openBuildDir creates the directory of a build, or opens the one that an earlier build of this user left. It never
// follows a link.
func openBuildDir(path string) (*buildDir, error) {
	for {
		err := vfs.MkdirAll(path, 0o777)
		if errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("%s is no directory, so no build made it: remove it", path)
		}
		if err != nil {
			return nil, err
		}
		f, err := vfs.OpenFile(path, os.O_RDONLY|vfs.NoFollow|vfs.Directory, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue // its build has removed it
		}
		if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENOTDIR) {
			return nil, fmt.Errorf("%s is a symbolic link, which no build made: remove it", path)
		}
		if err != nil {
			return nil, err
		}
		d := &buildDir{path, f}
		if err := d.claim(); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if there, err := vfs.Lstat(path); err == nil {
			if own, err := f.Stat(); err == nil && os.SameFile(there, own) {
				return d, nil
			}
		}
		if err := d.Close(); err != nil {
			return nil, err
		}
	}
}

// claim locks the directory. It returns an error if another user owns it.
func (d *buildDir) claim() error {
	info, err := d.lock.Stat()
	if err != nil {
		return err
	}
	if err := checkOwner(d.path, info); err != nil {
		return err
	}
	ok, err := filelock.TryIfSupported(d.lock)
	if err == nil && !ok {
		err = fmt.Errorf("%w, in %s", ErrBusy, d.path)
	}
	return err
}

// Close unlocks the directory.
func (d *buildDir) Close() error { return filelock.Release(d.lock) }

// index returns the directory that holds the index until it is complete.
func (d *buildDir) index() string { return filepath.Join(d.path, indexPart) }

// note returns the note, or an empty one if it can't be read.
func (d *buildDir) note() note {
	var n note
	f, size, err := format.OpenFile(filepath.Join(d.path, noteFile))
	if err != nil {
		return n
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, longestNote))
	if err != nil || size > longestNote || json.Unmarshal(b, &n) != nil ||
		n.Format != noteFormat || n.Version != noteVersion {
		return note{}
	}
	return n
}

// IsBuildDir reports whether path is the directory of an unfinished build.
func IsBuildDir(path string) bool { return (&buildDir{path: path}).note().From != "" }

func (d *buildDir) write(n note) error {
	n.Format, n.Version = noteFormat, noteVersion
	b, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(d.path, noteFile), func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// found returns the manifest of the unfinished index that from identifies, or nil if there is none.
func (d *buildDir) found(from string) (*manifest.Manifest, error) {
	n := d.note()
	m, err := manifest.Read(d.index())
	switch {
	case err != nil || n.From != from:
		return nil, nil
	case m.Build != nil && m.Build.From != from, m.Build == nil && m.CRC32C != n.Manifest:
		return nil, nil
	case m.Check(d.index()) != nil:
		return nil, nil
	}
	return m, d.checkFiles()
}

// checkFiles returns an error if a file of the build belongs to another user or is a link.
func (d *buildDir) checkFiles() error {
	info, err := vfs.Lstat(d.index())
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no directory, so no build made it: remove it", d.index())
	}
	if err := checkOwner(d.index(), info); err != nil {
		return err
	}
	entries, err := vfs.ReadDir(d.index())
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(d.index(), e.Name())
		info, err := vfs.Lstat(path)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is no regular file, so no build made it: remove it", path)
		}
		if err := checkOwner(path, info); err != nil {
			return err
		}
	}
	return nil
}

// clear removes the files of an earlier build or of a replaced index. It refuses to remove anything else.
func (d *buildDir) clear() error {
	entries, err := vfs.ReadDir(d.path)
	if err != nil {
		return err
	}
	noted := d.note().From != ""
	for _, e := range entries {
		name := strings.TrimPrefix(e.Name(), ".")
		switch {
		case e.Name() == indexPart && noted:
		case strings.HasPrefix(name, noteFile):
		default:
			return fmt.Errorf("%s holds %s, which no build made: remove it or move it away", d.path, e.Name())
		}
	}
	if err := removeIndex(d.index()); err != nil {
		return err
	}
	if err := vfs.SyncDir(d.path); err != nil { // an index without its note could be anybody's
		return err
	}
	return d.removeNote()
}

// removeNote removes all but the index.
func (d *buildDir) removeNote() error {
	entries, err := vfs.ReadDir(d.path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == indexPart {
			continue
		}
		if err := vfs.Remove(filepath.Join(d.path, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// remove removes the directory of a build that is done.
func (d *buildDir) remove() error {
	if err := d.clear(); err != nil {
		return err
	}
	return vfs.Remove(d.path)
}

// removeIndex removes the directory of an index, complete or not, if it holds nothing else.
func removeIndex(dir string) error {
	if err := checkOwn(dir, IsIndexFile); err != nil {
		return err
	}
	entries, err := vfs.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := vfs.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return vfs.Remove(dir)
}

// checkOwn returns an error if dir is no directory, or holds a directory or a file for whose name own returns false.
func checkOwn(dir string, own func(name string) bool) error {
	info, err := vfs.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no directory, and is not replaced by one: give another path", dir)
	}
	entries, err := vfs.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !own(e.Name()) || e.IsDir() {
			return fmt.Errorf("%s holds %s as well, which would be lost: give another path", dir, e.Name())
		}
	}
	return nil
}
