package shard

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/filelock"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/internal/vfs"
)

// IndexManifest returns the manifest of the index that consists of the shards in dir and was built of rows rows.
func IndexManifest(
	dir string, shards []manifest.Shard, routing *manifest.Routing, rows int,
) (*manifest.Manifest, error) {
	info, err := store.Inspect(filepath.Join(dir, shards[0].File))
	if err != nil {
		return nil, err
	}
	c := info.Config
	return &manifest.Manifest{
		Generation: 1, Rows: rows, Dim: c.Dim, Metric: c.Metric.String(),
		M: c.M, BaseLinks: c.BaseLinks, EfConstruction: c.EfConstruction, Seed: c.Seed,
		Shards: shards, Routing: routing,
	}, nil
}

// Publish makes an index of the files in the directory from: it writes the manifest m, which names the shards and
// the routing, removes what is left of the steps of the build, and moves the directory to dir, where the index
// appears whole or not at all. replace lets it take the place of an index that is there. After an error it may be
// called again.
func Publish(from, dir string, m *manifest.Manifest, replace bool) error {
	if err := m.Write(from); err != nil {
		return err
	}
	isStep := func(name string) bool { return unfinished(name) || strings.HasPrefix(name, partPrefix) }
	if err := removeIf(from, isStep); err != nil {
		return err
	}
	if err := vfs.SyncDir(from); err != nil { // so that the files removed don't come back in the index
		return err
	}
	lock, err := filelock.Try(from) // until the index is durable at its place, so that nobody changes it before
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := mayReplace(dir, replace); err != nil {
		return err
	}
	return atomicfile.Place(from, dir, replace)
}

// mayReplace returns an error unless dir is free, or holds an index and replace is set.
func mayReplace(dir string, replace bool) error {
	entries, err := vfs.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil { // unless it is a file, what is there isn't known
		if info, noInfo := vfs.Stat(dir); noInfo != nil || info.IsDir() {
			return err
		}
	}
	if !replace {
		return fmt.Errorf("%w: say that it is to be replaced, or give another path", fs.ErrExist)
	}
	if err := checkOwn(dir, IsIndexFile); err != nil {
		return err
	}
	if !manifest.Recognize(dir) {
		return fmt.Errorf("%s is no index of Shale, and is not replaced by one: give another path", dir)
	}
	return nil
}

// removeIf removes the files of an index in dir whose names satisfy a condition.
func removeIf(dir string, name func(string) bool) error {
	entries, err := vfs.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if IsIndexFile(e.Name()) && name(e.Name()) {
			if err := vfs.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// unfinished reports whether name is that of a temporary file, which a killed build leaves.
func unfinished(name string) bool { return strings.HasPrefix(name, ".") }
