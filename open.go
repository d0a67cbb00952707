package shale

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/shale-search/shale/hnsw"
	"github.com/shale-search/shale/shard"
	"github.com/shale-search/shale/store"
	"github.com/shale-search/shale/store/hnswlib"
	"github.com/shale-search/shale/store/manifest"
	"github.com/shale-search/shale/vector"
)

// OpenOptions says what the files don't. The zero value suits Shale's own.
type OpenOptions struct {
	Metric Metric // of an hnswlib index, which doesn't hold it
	Dim    int    // expected values a vector; 0: as the index has
	// Memory bounds what the index keeps resident, in bytes; 0: no bound. Where it doesn't hold the rows beside links and
	// codes, searches of an index directory read rows from disk, and the index can't be changed.
	Memory int64
	// Mapped maps an index directory and reads only its header: searches read what they need from the mapping, so that
	// opening takes no time and memory is the page cache. What isn't read isn't checked, which Verify does; a file that is
	// cut off or can't be read gives an error. The index can't be changed.
	//
	// A live file is mapped in any case; Mapped then means that it isn't changed, and others may map it meanwhile.
	Mapped bool
	// PinUpper copies the links of the upper levels of a mapped index directory into memory, where searches begin: 5 bytes a
	// row and a few for links, which are read when it is opened.
	PinUpper bool
}

// Open reads an index into memory and checks all of it. Damage comes as a *store.FormatError.
func Open(ctx context.Context, path string, o OpenOptions) (*Index, error) {
	format, err := Detect(path)
	if err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	path = filepath.Clean(path)
	if format != Directory && format != Live && o.Mapped {
		return nil, fmt.Errorf("open index: only an index directory or a live file can be mapped, and %s is a %s: convert it", path, format)
	}
	if err := fits(path, format, o.Memory); err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	x := &Index{}
	switch format {
	case Directory:
		err = x.openDirectory(ctx, path, o)
	case Live:
		x.graph, err = openLive(path, o)
		x.live = path
	case File:
		x.graph, err = store.OpenIndex(ctx, path, store.Options{})
	default:
		x.graph, err = hnswlib.Read(ctx, path, hnswlib.Options{Dim: o.Dim, Metric: o.Metric})
	}
	if err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	if o.Dim != 0 && o.Dim != x.Dim() {
		x.Close()
		return nil, fmt.Errorf("open index: %w: %s has %d values a vector, not %d", ErrDim, path, x.Dim(), o.Dim)
	}
	return x, nil
}

func openLive(path string, o OpenOptions) (*hnsw.Index, error) {
	if o.Mapped {
		return store.MapLive(path, store.Options{})
	}
	x, _, err := store.OpenLive(path, store.Options{})
	return x, err
}

// fits refuses an index file that needs more memory than is allowed.
func fits(path string, format Format, memory int64) error {
	if format == Directory || format == Live || memory <= 0 {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() > memory {
		return fmt.Errorf("%w: %s needs %d MiB, %d MiB are allowed: an index directory could leave its rows on disk",
			shard.ErrMemory, path, info.Size()>>20, memory>>20)
	}
	return nil
}

// openDirectory reads the manifest and then the shard. Where another process has saved in between, the shard is gone
// and the new manifest names its successor.
func (x *Index) openDirectory(ctx context.Context, dir string, o OpenOptions) error {
	for {
		m, err := manifest.Read(dir)
		if err != nil {
			return err
		}
		if m.Build != nil {
			return fmt.Errorf("%s: %w: its build isn't finished: build it again, and it goes on", dir, ErrNotIndex)
		}
		shards, graph, err := openFiles(ctx, dir, m, o)
		if err == nil {
			x.shards, x.vectors = shards, m.Vectors
			x.graph, x.home, x.generation = graph, dir, m.Generation
			x.tuned.Store(m.Tuned)
			return nil
		}
		again, readErr := manifest.Read(dir)
		if readErr != nil || again.Generation == m.Generation {
			return err
		}
	}
}

// openFiles opens what m names: shards, where there are several or where a graph is mapped, or has its rows elsewhere or on
// disk; or else a graph.
func openFiles(ctx context.Context, dir string, m *manifest.Manifest, o OpenOptions) (*shard.Index, *hnsw.Index, error) {
	if err := m.Check(dir); err != nil {
		return nil, nil, err
	}
	readOnly := o.Mapped || len(m.Shards) > 1 || m.Routing != nil || m.Keep == vector.External.String()
	if !readOnly && o.Memory > 0 {
		plan, err := shard.PlanSearch(dir, m, o.Memory)
		if err != nil {
			return nil, nil, err
		}
		readOnly = plan.RowsOnDisk
	}
	if readOnly {
		x, err := shard.Open(ctx, dir, m, shard.OpenOptions{Memory: o.Memory, Mapped: o.Mapped, PinUpper: o.PinUpper})
		return x, nil, err
	}
	x, err := store.OpenIndex(ctx, filepath.Join(dir, m.Shards[0].File), store.Options{})
	return nil, x, err
}
