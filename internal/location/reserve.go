package location

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/internal/store/hnswlib"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/internal/vfs"
)

// ReserveOptions says what is to be written.
type ReserveOptions struct {
	Format  Format      // as in shale.SaveOptions, or Live
	Replace bool        // an index that is there may be replaced
	Lock    LockOptions // how to wait for another process that is changing it
}

// Reserve finds out before long work whether a new index can be written to path, and locks what is there, so that no
// other process changes what is going to be replaced. It refuses to replace an index, with fs.ErrExist, unless that is
// asked for; and anything else, live files, and directories that hold other files than those of an index, in any case.
// inside.Hold passes the lock on to a save or a build.
func Reserve(ctx context.Context, path string, o ReserveOptions) (*Lock, error) {
	path, err := Target(path)
	if err != nil {
		return nil, err
	}
	if err := mayWrite(path, o); err != nil {
		return nil, err
	}
	if o.Format == Live && o.Replace {
		return &Lock{path: path}, nil // what lies there is locked when it is replaced
	}
	lock, err := Acquire(ctx, path, o.Lock)
	if err != nil {
		return nil, err
	}
	if err := mayWrite(path, o); err != nil { // another process may have written it while this one waited
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// mayWrite refuses what Reserve refuses.
func mayWrite(path string, o ReserveOptions) error {
	if o.Format == Live {
		if there, err := Detect(path); err == nil && o.Replace {
			if there == Live {
				return nil
			}
			return fmt.Errorf("%s is a %s, which a live file doesn't replace: remove it first, or give another path",
				path, there)
		}
		o.Format = Auto
	}
	if err := CanSave(path, o.Format); err != nil {
		return err
	}
	there, err := Detect(path)
	if err != nil { // CanSave finds that nothing lies there, an empty directory, or a pipe
		return nil
	}
	if there == Live && o.Replace {
		return fmt.Errorf("%s is a live file, which nothing replaces: remove it first, or give another path", path)
	}
	if !o.Replace {
		if shard.IsBuildDir(shard.BuildDir(path)) {
			return nil // it may be complete, and then Build clears up after it
		}
		return fmt.Errorf("%s: %w", path, fs.ErrExist)
	}
	return CheckReplaced(path, there)
}

// CheckReplaced refuses to replace a directory that isn't what its format says, or that holds other files as well.
func CheckReplaced(path string, there Format) error {
	own := shard.IsIndexFile
	switch {
	case there == ForkShards:
		own = hnswlib.IsShardFile
	case there != Directory:
		return nil // files are known by their first bytes
	case !manifest.Recognize(path):
		return fmt.Errorf("%s: %w: its %s is that of another program", path, ErrNotIndex, manifest.Name)
	}
	entries, err := vfs.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() || !own(e.Name()) {
			return fmt.Errorf("%s holds %s as well, which is no file of the index: give another path, or move it away",
				path, e.Name())
		}
	}
	return nil
}
