package shale

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/hnswlib"
	"github.com/shale-search/shale/internal/store/manifest"
)

// ErrChanged reports that another process has saved the index since it was opened.
var ErrChanged = errors.New("the index was changed by another process meanwhile")

// SaveOptions says how to save.
type SaveOptions struct {
	// Format is the format on disk. The zero value keeps the format of the index at the path. If there is none, a path
	// that ends in .shale becomes a file, and any other a directory.
	Format Format
	// TuningOnly writes what Tune set, and nothing else, to the index directory that this index was opened from.
	TuningOnly bool
	// Replace allows Save to replace an index that this one wasn't opened from, or that another process has changed since.
	Replace bool
	// Vectors is the file of the vectors of an external index. The index directory records its name.
	Vectors string
	// Wait is how long Save waits for another process that is changing what is at the path before it returns ErrLocked.
	// Default: 30 seconds; a negative value means not at all. Waiting, if not nil, is called when the waiting begins.
	Wait    time.Duration
	Waiting func()
	// Progress, if not nil, is called with the number of rows done and of all rows while an index of several shards is
	// saved in a format that has no shards: Save then builds one graph of the vectors that aren't deleted.
	Progress func(done, total int)

	held *location.Lock // the lock of what is at the path, if the caller holds it already: see package inside
}

// Save writes the index to path. What was there is replaced once all is written, and stays after an error or when ctx
// ends. Searches go on while Save runs, and changes wait.
func (x *Index) Save(ctx context.Context, path string, o SaveOptions) error {
	x.saving.Lock()
	defer x.saving.Unlock()
	if o.TuningOnly {
		if err := x.saveTuning(ctx, path, o); err != nil {
			return fmt.Errorf("save tuning: %w", err)
		}
		return nil
	}
	if err := x.lockAndSave(ctx, path, o); err != nil {
		return fmt.Errorf("save index: %w", err)
	}
	return nil
}

// lockAndSave keeps other processes from changing what is at path while it is checked and replaced.
func (x *Index) lockAndSave(ctx context.Context, path string, o SaveOptions) (err error) {
	if path, err = location.Target(path); err != nil {
		return err
	}
	format, err := location.FormatFor(path, o.Format)
	if err != nil {
		return err
	}
	if stream, err := atomicfile.IsStream(path); err != nil || stream {
		if err != nil {
			return err
		}
		return x.saveAs(ctx, path, format, o)
	}
	if format == location.Live {
		return x.saveLive(path) // which its index has locked
	}
	lock, err := x.lockFor(ctx, path, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	// something else may have taken the place of what was there
	if format, err = location.FormatFor(path, o.Format); err != nil {
		return err
	}
	return x.saveAs(ctx, path, format, o)
}

func (x *Index) saveAs(ctx context.Context, path string, format Format, o SaveOptions) (err error) {
	defer mmap.Catch(mmap.Guard(), &err)
	if x.Metric() == score.Custom && (format == Graph || format == ForkShards) {
		return fmt.Errorf("an index with a Distance can't be saved as a %s, which isn't searched by one", format)
	}
	if format == Directory {
		return x.saveDirectory(ctx, path, o)
	}
	graphs, free, err := x.engine.Graphs(ctx, shard.MergeOptions{Plain: format != File, Progress: o.Progress})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, free()) }()
	if format == ForkShards {
		if err := location.CheckReplaced(path, ForkShards); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return shard.WriteFork(ctx, path, graphs)
	}
	if len(graphs) > 1 {
		return fmt.Errorf("%d external shards can't become one graph: build it anew from all vectors", len(graphs))
	}
	return x.saveFile(ctx, path, format, graphs[0].Graph, o)
}

// saveFile writes a file, unless another process has replaced what the index was read from.
func (x *Index) saveFile(ctx context.Context, path string, format Format, graph store.Source, o SaveOptions) error {
	if now := versionOf(path); x.file.path == path && !o.Replace && now.info != nil && !x.file.same(now) {
		return fmt.Errorf("%s: %w: open it again", path, ErrChanged)
	} else if o.held.Reserved(path) && now.info != nil {
		return fmt.Errorf("%s: %w: it appeared meanwhile", path, fs.ErrExist)
	}
	var err error
	switch format {
	case Hnswlib:
		err = hnswlib.Write(ctx, path, graph)
	case Graph:
		err = hnswlib.WriteGraph(ctx, path, graph)
	default:
		err = store.Save(ctx, path, graph)
	}
	if err == nil || errors.Is(err, atomicfile.ErrUnsynced) {
		x.file = versionOf(path)
		x.lock.Follow(ctx, path)
	}
	return err
}

// saveLive lets a live file be as it is now. It isn't replaced by another index.
func (x *Index) saveLive(path string) error {
	if x.live != path {
		return fmt.Errorf("a live file is made by New, and not replaced: give another path than %s", path)
	}
	return x.Sync()
}

// saveTuning writes what Tune set to the manifest of the directory at path.
func (x *Index) saveTuning(ctx context.Context, path string, o SaveOptions) (err error) {
	if path, err = location.Target(path); err != nil {
		return err
	}
	lock, err := x.lockFor(ctx, path, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	m, err := manifest.Read(path)
	if err != nil {
		return err
	}
	if x.home != path || !x.saved.sameContent(m) {
		return fmt.Errorf("%s: %w: open it again", path, ErrChanged)
	}
	m.Tuned = x.tuned.Load()
	if now := x.engine.routing(); now != nil && now.Queries > 0 {
		m.Routing.Reach, m.Routing.Queries = now.Reach, now.Queries
	}
	if err := m.Write(path); err != nil {
		return err
	}
	x.saved = savedAs(m)
	return nil
}
