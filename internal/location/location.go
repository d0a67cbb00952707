// Package location finds out what is at a path, and whether an index can be written there, and locks it.
package location

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/hnswlib"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/internal/vfs"
)

// Format is how an index lies on disk.
type Format int

// The formats.
const (
	Auto       Format = iota
	Directory         // a manifest and a file for each shard
	File              // one file in Shale's own format; it keeps no tuned ef
	Hnswlib           // hnswlib's index.bin
	Graph             // hnswlib-mmap's .graph: an external index; it holds no metric
	ForkShards        // hnswlib-mmap's directory of shards: an index.meta, and a .graph and a .meta for each
	Live              // one file that is the memory of an index and changes in place: see shale.New
)

func (f Format) String() string {
	return [...]string{
		"unknown", "shale directory", "shale file", "hnswlib index.bin", "hnswlib-mmap graph",
		"hnswlib-mmap directory of shards",
		"shale live file",
	}[f]
}

func (f Format) isDirectory() bool { return f == Directory || f == ForkShards }

// ErrNotIndex reports a path at which something else than an index lies.
var ErrNotIndex = errors.New("not an index")

// Detect tells what lies at path: an error with fs.ErrNotExist says that nothing does, one with ErrNotIndex that it is
// something else.
func Detect(path string) (Format, error) {
	info, err := vfs.Stat(path)
	if err != nil {
		return Auto, err
	}
	if info.IsDir() {
		return detectDirectory(path)
	}
	kind, err := store.Detect(path)
	switch {
	case err != nil:
		return Auto, err
	case kind == store.Native:
		return File, nil
	case kind == store.Live:
		return Live, nil
	case kind == store.HnswlibIndex:
		return Hnswlib, nil
	case kind == store.HnswlibGraph:
		return Graph, nil
	case kind == store.HnswlibFlat:
		return Auto, fmt.Errorf("%s: %w: it is a brute-force index of hnswlib, which has no graph", path, ErrNotIndex)
	}
	return Auto, fmt.Errorf("%s: %w: neither a Shale file nor one of hnswlib or hnswlib-mmap, or its beginning is damaged",
		path, ErrNotIndex)
}

func detectDirectory(path string) (Format, error) {
	for _, kind := range []struct {
		file   string
		format Format
	}{{manifest.Name, Directory}, {hnswlib.IndexMetaName, ForkShards}} {
		_, err := vfs.Stat(filepath.Join(path, kind.file))
		if err == nil {
			return kind.format, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return Auto, err
		}
	}
	if shard.IsBuildDir(path) {
		return Auto, fmt.Errorf("%s: %w: its build isn't finished: build it again, and it goes on", path, ErrNotIndex)
	}
	return Auto, fmt.Errorf("%s: %w: the directory has no %s, nor hnswlib-mmap's %s", path, ErrNotIndex,
		manifest.Name, hnswlib.IndexMetaName)
}

// fileExtension marks names of single files in Shale's format.
const fileExtension = ".shale"

// FormatFor is the format in which to save at path: that of the index that lies there, else a file if the name ends in
// .shale, else a directory. Anything else that lies there is not replaced, except for an empty directory.
func FormatFor(path string, wanted Format) (Format, error) {
	if stream, err := atomicfile.IsStream(path); err != nil || stream {
		if err == nil && wanted != Hnswlib && wanted != Graph {
			err = fmt.Errorf("%s is a pipe or device, which takes only what is written in order: a %s or a %s",
				path, Hnswlib, Graph)
		}
		return wanted, err
	}
	there, err := Detect(path)
	if errors.Is(err, fs.ErrNotExist) {
		there, err = Auto, nil
	}
	if errors.Is(err, ErrNotIndex) && IsEmptyDir(path) {
		if there, err = Directory, nil; wanted == ForkShards {
			there = ForkShards
		}
	}
	if err != nil {
		return Auto, fmt.Errorf("what lies there is not replaced: %w", err)
	}
	if there != Auto && wanted != Auto && there != wanted &&
		(there.isDirectory() || wanted.isDirectory() || there == Live) {
		return Auto, fmt.Errorf("%s is a %s already: give another path for a %s", path, there, wanted)
	}
	switch {
	case wanted != Auto:
		return wanted, nil
	case there != Auto:
		return there, nil
	case strings.EqualFold(filepath.Ext(path), fileExtension):
		return File, nil
	}
	return Directory, nil
}

// CanSave finds out before long work whether Save in the format can write to path.
func CanSave(path string, f Format) error {
	path, err := Target(path)
	if err != nil {
		return err
	}
	if _, err := FormatFor(path, f); err != nil {
		return err
	}
	if stream, err := atomicfile.IsStream(path); err != nil || stream {
		return err
	}
	dir := filepath.Dir(path)
	if info, err := vfs.Stat(path); err == nil && info.IsDir() {
		dir = path
	}
	trial, err := atomicfile.NewTemp(filepath.Join(dir, "trial"))
	if err != nil {
		return fmt.Errorf("%s can't be written: %w", path, err)
	}
	if err := trial.Drop(); err != nil {
		return fmt.Errorf("%s can't be written: %w", path, err)
	}
	return nil
}

func IsEmptyDir(path string) bool {
	entries, err := vfs.ReadDir(path)
	return err == nil && len(entries) == 0
}
