package shale

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/internal/vfs"
)

func (x *Index) saveDirectory(ctx context.Context, dir string, o SaveOptions) error {
	if err := x.noteVectors(dir, o.Vectors); err != nil {
		return err
	}
	writing, err := x.engine.BeginSave()
	if err != nil {
		return err
	}
	x.writing = writing
	defer func() {
		x.writing.End()
		x.writing = nil
	}()
	replace := o.Replace
	if _, err := vfs.Lstat(dir); errors.Is(err, fs.ErrNotExist) || location.IsEmptyDir(dir) {
		err := x.saveNew(ctx, dir)
		if err == nil || !isFixed(err) {
			return err
		}
	}
	before, err := manifest.Read(dir)
	if err != nil {
		if !replace && !location.IsEmptyDir(dir) {
			return err
		}
		if !errors.Is(err, fs.ErrNotExist) && !manifest.Recognize(dir) {
			return fmt.Errorf("%s: %w: its %s is that of another program", dir, ErrNotIndex, manifest.Name)
		}
		if before, err = nothingBefore(dir, err); err != nil {
			return err
		}
	}
	switch {
	case x.home == dir && x.saved.sameContent(before):
		x.adoptTuning(before)
	case replace || len(before.Shards) == 0:
	case x.home != dir:
		return fmt.Errorf("%s: %w: set Replace to save over it", dir, fs.ErrExist)
	default:
		return fmt.Errorf("%s: %w: open it again", dir, ErrChanged)
	}
	m, err := x.writeGeneration(ctx, dir, before)
	if m != nil {
		x.isAt(dir, m)
	}
	if err != nil {
		return err
	}
	return removeOthers(dir, m, before)
}

// nothingBefore stands for the manifest of a directory whose manifest can't be read for the given reason. Its
// generation is that of the newest shard, so that what is written next takes no name that is in use.
func nothingBefore(dir string, reason error) (*manifest.Manifest, error) {
	var damage *store.FormatError
	if !errors.As(reason, &damage) && !errors.Is(reason, fs.ErrNotExist) {
		return nil, reason // there may be an index
	}
	entries, err := vfs.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	m := &manifest.Manifest{}
	for _, e := range entries {
		if !location.IsShardFile(e.Name()) {
			continue
		}
		var shard, generation int
		if n, _ := fmt.Sscanf(e.Name(), location.ShardPrefix+"%d.%d.", &shard, &generation); n != 2 {
			generation = 1 // of a build
		}
		if generation < math.MaxInt32 {
			m.Generation = max(m.Generation, generation)
		}
	}
	return m, nil
}

// saved is what an index knows of the manifest that it was opened from or that it has written.
type saved struct {
	generation int
	files      []manifest.Shard
	tuned      *manifest.Tuned
}

func savedAs(m *manifest.Manifest) saved { return saved{m.Generation, m.Content(), m.Tuned} }

// sameContent reports whether m names the same files. The settings that were tuned may differ.
func (s saved) sameContent(m *manifest.Manifest) bool {
	return s.generation == m.Generation && slices.EqualFunc(s.files, m.Content(), func(a, b manifest.Shard) bool {
		return a.File == b.File && a.Bytes == b.Bytes && a.CRC32C == b.CRC32C
	})
}

// adoptTuning takes over what another process has tuned since, unless this index was tuned too.
func (x *Index) adoptTuning(m *manifest.Manifest) {
	if own := x.tuned.Load(); own == x.saved.tuned {
		x.tuned.CompareAndSwap(own, m.Tuned)
	}
}

// noteVectors keeps the way from dir to a file of vectors, if one is given.
func (x *Index) noteVectors(dir, path string) error {
	if path == "" {
		return nil
	}
	from, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	to, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if x.vectors, err = filepath.Rel(from, to); err != nil {
		x.vectors = to // on another drive
	}
	return nil
}

// saveNew makes the directory under another name first, so that it appears whole.
func (x *Index) saveNew(ctx context.Context, dir string) error {
	temp, err := atomicfile.NewDir(dir)
	if err != nil {
		return err
	}
	m, err := x.writeGeneration(ctx, temp.Path, &manifest.Manifest{})
	if err != nil {
		return errors.Join(err, temp.Drop())
	}
	err = temp.Place(false)
	if err == nil || errors.Is(err, atomicfile.ErrUnsynced) {
		x.isAt(dir, m)
	}
	return err
}

// isAt notes that the index, as m describes it, is what lies in dir.
func (x *Index) isAt(dir string, m *manifest.Manifest) {
	x.home, x.saved = dir, savedAs(m)
	x.writing.Done(dir)
}

// isFixed reports whether err says that a directory can't be replaced: it is a mount point or the current directory,
// or its parent can't be changed.
func isFixed(err error) bool {
	if errors.Is(err, atomicfile.ErrUnsynced) {
		return false
	}
	if vfs.InUse(err) {
		return true
	}
	for _, fixed := range []error{syscall.EBUSY, syscall.EINVAL, syscall.EXDEV, syscall.EROFS, fs.ErrPermission} {
		if errors.Is(err, fixed) {
			return true
		}
	}
	return false
}

// writeGeneration writes the shards that have changed under names of their own and then the manifest, which makes them
// the index in the place of the one before. The manifest is returned once it is in place, with an error where a power
// cut may undo that.
func (x *Index) writeGeneration(ctx context.Context, dir string,
	before *manifest.Manifest) (*manifest.Manifest, error) {
	m, err := x.writing.Write(ctx, dir, before, x.home != dir || !x.saved.sameContent(before))
	if m != nil {
		m.Tuned, m.Vectors = x.tuned.Load(), x.vectors
	}
	return publish(dir, m, x.writing.Written(), err)
}

// publish writes the manifest of the files written, and removes these where it fails or where writing has failed.
func publish(dir string, m *manifest.Manifest, written []string, err error) (*manifest.Manifest, error) {
	if err == nil {
		if err = m.Write(dir); err == nil {
			return m, nil
		}
		if mayBe(dir, m) {
			return m, fmt.Errorf("saved, but a power cut may bring back what was there before: %w", err)
		}
	}
	for _, name := range written {
		if removed := vfs.Remove(filepath.Join(dir, name)); !errors.Is(removed, fs.ErrNotExist) {
			err = errors.Join(err, removed)
		}
	}
	return nil, err
}

// mayBe reports whether the manifest in dir is m, or can't be read.
func mayBe(dir string, m *manifest.Manifest) bool {
	now, err := manifest.Read(dir)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	return now.CRC32C == m.CRC32C
}

// removeOthers removes the files that the index before had and what unfinished saves left, but not those of m. Only
// files that are named as those of shards are touched, and the routing.
func removeOthers(dir string, m, before *manifest.Manifest) error {
	entries, err := vfs.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("saved, but old files stay: %w", err)
	}
	used := m.Files()
	for _, e := range entries {
		name := e.Name()
		if slices.Contains(used, name) || !location.IsShardFile(name) &&
			(before.Routing == nil || name != before.Routing.File) {
			continue
		}
		// The next save removes what cannot be removed while a reader has it open.
		if err := vfs.Remove(filepath.Join(dir, name)); err != nil && !vfs.InUse(err) {
			return fmt.Errorf("saved, but an old file stays: %w", err)
		}
	}
	return nil
}
