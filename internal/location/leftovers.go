package location

import (
	"errors"
	"path/filepath"
	"slices"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/filelock"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/internal/vfs"
)

// Leftovers returns the files and directories that were left by processes which were killed while they wrote the index
// at path: those in its directory, and those beside it that were to take its place. The next change of the index
// removes them. What other processes are writing now isn't returned.
func Leftovers(path string) ([]string, error) {
	path, err := Target(path)
	if err != nil {
		return nil, err
	}
	left := atomicfile.Leftovers(filepath.Dir(path), filepath.Base(path))
	if format, err := Detect(path); err != nil || !format.isDirectory() {
		return left, nil // beside what isn't there may be something all the same
	}
	left = append(left, atomicfile.Leftovers(path, "")...)
	m, err := manifest.Read(path)
	if err != nil {
		return left, nil // nobody knows which shards are of use
	}
	shards, err := unnamedShards(path, m)
	return append(left, shards...), err
}

// unnamedShards returns the files of shards in dir that the manifest doesn't name, unless another process may
// be about to write one that does.
func unnamedShards(dir string, m *manifest.Manifest) ([]string, error) {
	entries, err := vfs.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	named := m.Files()
	var left []string
	for _, e := range entries {
		if IsShardFile(e.Name()) && !slices.Contains(named, e.Name()) {
			left = append(left, filepath.Join(dir, e.Name()))
		}
	}
	if len(left) == 0 {
		return nil, nil
	}
	lock, err := filelock.Try(dir)
	if errors.Is(err, filelock.ErrHeld) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return left, lock.Close()
}
