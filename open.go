package shale

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"github.com/shale-search/shale/internal/coding"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/hnswlib"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/vector"
)

// OpenOptions says what the files don't. The zero value suits Shale's own.
type OpenOptions struct {
	// Metric is the metric of an hnswlib index or of a .graph file, which don't store it.
	Metric vector.Metric
	// Distance and DistanceName must be those that the index was built with, if it was built with any. Open returns an
	// error if the name differs. An hnswlib index can be opened with any Distance.
	Distance     func(a, b []float32) float32 `json:"-"`
	DistanceName string
	// Dim is the expected number of values of a vector. Open returns an error if the index has another. 0 means any.
	Dim int
	// LabelsAreGlobal says that the graphs in a directory of hnswlib-mmap hold the labels of the whole index. Otherwise
	// they hold the numbers of rows within the shard.
	LabelsAreGlobal bool
	// Memory is the most memory that the index may keep resident, in bytes; 0 means no bound. If links and codes fit but
	// rows don't, searches of an index directory read rows from the disk. If links and codes don't fit, or there are no
	// codes, as many shards as fit are read into memory, the first ones, and the others are mapped after their checksums
	// have been compared. Info.Plan describes the choice. An index of one graph that doesn't fit can't be changed.
	Memory int64
	// Mapped maps an index directory and reads only its header. Searches read the pages that they need, so opening takes
	// hardly any time and the page cache is the only memory. Open doesn't check what it doesn't read; Verify does. A file
	// that is cut off or can't be read gives an error. An index of one graph can't be changed. Graphs of hnswlib-mmap
	// can't be searched in their files: Open checks them and writes them once to files without a name.
	//
	// A live file is always mapped. With Mapped it can only be searched: several processes can do so at the same time,
	// none needs permission to write, and the file doesn't change. Without Mapped this process has the file alone, unless
	// it may only read the file: then Open behaves as with Mapped.
	Mapped bool
	// Lock keeps other processes from changing the index until Close. Without it another process may save the index in the
	// meantime, and then Save returns ErrChanged. A live file that is opened for changes is always locked.
	Lock bool
	// Wait is how long Open waits for the lock, or for a live file that another process has open if one of the two
	// processes changes it, before it returns ErrLocked. Default: 30 seconds; a negative value means not at all.
	Wait time.Duration
	// DropDamaged opens a live file without the rows that the disk has damaged since they were synced. Otherwise Open
	// returns an error that names their labels.
	DropDamaged bool
	// Waiting, if not nil, is called when Open begins to wait.
	Waiting func() `json:"-"`
	// Resident is the number of shards, the first ones, that are read into memory although Mapped is set. Default: as many
	// as fit in Memory, or none if Memory is 0.
	Resident int
	// PinUpper reads the links of the upper levels of a mapped index directory into memory, since every search begins
	// there. They take 5 bytes a row and a few for the links.
	PinUpper bool

	load      shard.SearchLoad // the part of Memory that searches will use, if it is known: see package inside
	rowsApart bool             // see package inside
}

// Open reads an index into memory and checks all of it. The error of a damaged file names the file, the offset and the
// field.
func Open(ctx context.Context, path string, o OpenOptions) (*Index, error) {
	x, err := open(ctx, path, o)
	if err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	return x, nil
}

func open(ctx context.Context, path string, o OpenOptions) (*Index, error) {
	path, err := location.Target(path)
	if err != nil {
		return nil, err
	}
	format, err := location.Detect(path)
	if err != nil {
		return nil, err
	}
	if err := o.check(path, format); err != nil {
		return nil, err
	}
	x := &Index{}
	if o.Lock && format != location.Live {
		if x.lock, err = location.Acquire(ctx, path, location.LockOptions{Wait: o.Wait, Waiting: o.Waiting}); err != nil {
			return nil, err
		}
	}
	x.file = versionOf(path)
	if err := x.openAs(ctx, path, format, o); err != nil {
		return nil, errors.Join(err, x.lock.Close())
	}
	if o.Dim != 0 && o.Dim != x.Dim() {
		x.Close()
		return nil, fmt.Errorf("%w: %s has %d values a vector, not %d", vector.ErrDim, path, x.Dim(), o.Dim)
	}
	return x, nil
}

// check refuses options that don't suit the format of the index at path.
func (o *OpenOptions) check(path string, format Format) error {
	if err := o.checkDistance(format); err != nil {
		return err
	}
	if (format == File || format == Hnswlib) && o.Mapped {
		return fmt.Errorf("only an index directory, a graph or a live file can be mapped, and %s is a %s: convert it",
			path, format)
	}
	if o.Resident != 0 && !o.Mapped {
		return fmt.Errorf("%d shards are asked to be in memory, but the others aren't mapped", o.Resident)
	}
	return fits(path, format, *o)
}

// openAs opens what is at path as an index of the given format.
func (x *Index) openAs(ctx context.Context, path string, format Format, o OpenOptions) (err error) {
	switch format {
	case Directory:
		return x.openDirectory(ctx, path, o)
	case location.Live:
		x.live = path
		x.engine, err = graphEngine(openLive(path, o))
	case File:
		x.engine, err = graphEngine(store.OpenIndex(ctx, path, o.files()))
	case Graph:
		fo := shard.ForkOptions{Dim: o.Dim, Metric: o.Metric, Mapped: o.Mapped}
		x.engine, err = shardEngine(shard.OpenGraph(ctx, path, fo))
	case ForkShards:
		fo := shard.ForkOptions{Dim: o.Dim, Mapped: o.Mapped, LabelsAreGlobal: o.LabelsAreGlobal}
		x.engine, err = shardEngine(openFork(ctx, path, fo))
	default:
		ho := hnswlib.Options{Dim: o.Dim, Metric: o.Metric, Custom: o.Distance, CustomName: o.DistanceName}
		x.engine, err = graphEngine(hnswlib.Read(ctx, path, ho))
	}
	return err
}

// graphEngine returns the engine of a graph that was opened with the given error.
func graphEngine(graph *hnsw.Index, err error) (engine, error) {
	if err != nil {
		return nil, err
	}
	return oneGraph{graph}, nil
}

// shardEngine returns the engine of shards that were opened with the given error.
func shardEngine(shards *shard.Index, err error) (engine, error) {
	if err != nil {
		return nil, err
	}
	return manyShards{shards}, nil
}

// openFork opens a directory of hnswlib-mmap, again where it was replaced meanwhile.
func openFork(ctx context.Context, dir string, o shard.ForkOptions) (*shard.Index, error) {
	for {
		at := versionOf(dir)
		x, err := shard.OpenFork(ctx, dir, o)
		if at.samePlace(versionOf(dir)) || ctx.Err() != nil {
			return x, err
		}
		if err == nil {
			if err := x.Close(); err != nil {
				return nil, err
			}
		}
	}
}

// files says how files in Shale's own formats are opened.
func (o *OpenOptions) files() store.Options {
	return store.Options{Custom: o.Distance, CustomName: o.DistanceName}
}

// openLive opens a live file, to search it alone where it is mapped or mayn't be written.
func openLive(path string, o OpenOptions) (*hnsw.Index, error) {
	so := o.files()
	so.Wait, so.Waiting, so.DropDamaged = cmp.Or(o.Wait, store.DefaultWait), o.Waiting, o.DropDamaged
	var x *hnsw.Index
	var err error
	mapped := o.Mapped
	if !mapped {
		x, _, err = store.OpenLive(path, so)
		mapped = errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
	}
	if mapped {
		x, err = store.MapLive(path, so)
	}
	if err != nil {
		return nil, err
	}
	if err := liveFits(x, path, o.Memory); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// fits refuses an index of another format than the directory's that needs more memory than is allowed.
func fits(path string, format Format, o OpenOptions) error {
	if format == Directory || format == location.Live || o.Memory <= 0 || o.Mapped {
		return nil
	}
	size, err := store.SizeOnDisk(path)
	if err != nil {
		return err
	}
	remedy := "an index directory could leave its rows on disk"
	if format == Graph || format == ForkShards {
		remedy = "it can be mapped"
	}
	return fitsInto(o.Memory, size, path, remedy)
}

// fitsInto refuses an index of size bytes that, with what searches need beside it, is larger than the memory allowed.
func fitsInto(memory, size int64, path, remedy string) error {
	if need := size + shard.SearchMemory; need > memory {
		return fmt.Errorf("%w: %s needs %s, %s are allowed: %s", shard.ErrMemory, path,
			mebibytes(need), mebibytes(memory), remedy)
	}
	return nil
}

// liveFits refuses a live file whose elements take more memory than is allowed. Room for more takes none until it is
// used.
func liveFits(x *hnsw.Index, path string, memory int64) error {
	if memory <= 0 {
		return nil
	}
	size, err := store.SizeOnDisk(path)
	if err != nil {
		return err
	}
	used := int64(float64(size) * float64(x.Len()) / float64(max(x.Capacity(), 1)))
	return fitsInto(memory,
		used, path, "all of a live file is in use: convert it to an index directory, which can leave its rows on disk")
}

// openDirectory reads the manifest and then the shards that it names.
func (x *Index) openDirectory(ctx context.Context, dir string, o OpenOptions) error {
	err := readDirectory(ctx, dir, func(m *manifest.Manifest) error {
		if err := x.closeEngine(); err != nil { // of what was replaced while it was opened
			return err
		}
		if m.Build != nil {
			return unfinished(dir, ": build it again, and it goes on")
		}
		e, err := openFiles(ctx, dir, m, o)
		if err != nil {
			return err
		}
		x.engine, x.vectors = e, m.Vectors
		x.home, x.saved = dir, savedAs(m)
		x.tuned.Store(m.Tuned)
		return nil
	})
	if err != nil {
		return errors.Join(err, x.closeEngine())
	}
	return nil
}

// closeEngine closes what the index consists of, if anything.
func (x *Index) closeEngine() error {
	if x.engine == nil {
		return nil
	}
	err := x.engine.Close()
	x.engine = nil
	return err
}

// readDirectory calls read with the manifest of the index in dir. It does so again where a writer replaced the index
// meanwhile: the files that read looked for may have been removed, or been those of another index.
func readDirectory(ctx context.Context, dir string, read func(m *manifest.Manifest) error) error {
	for {
		at := versionOf(dir)
		m, err := manifest.Read(dir)
		if err != nil {
			return err
		}
		if err = read(m); err == nil {
			err = ctx.Err()
		}
		sameDir := at.samePlace(versionOf(dir))
		if err == nil && sameDir || ctx.Err() != nil {
			return err
		}
		if again, readErr := manifest.Read(dir); sameDir && (readErr != nil || again.CRC32C == m.CRC32C) {
			return err
		}
	}
}

// unfinished says that the index in dir isn't one yet, and what to do about it.
func unfinished(dir, advice string) error {
	return fmt.Errorf("%s: %w: its build isn't finished%s", filepath.Join(dir, manifest.Name), ErrNotIndex, advice)
}

// openFiles opens what m names: shards, where there are several or where a graph is mapped, or has its rows elsewhere
// or on disk; or else a graph.
func openFiles(ctx context.Context, dir string, m *manifest.Manifest, o OpenOptions) (engine, error) {
	if err := checkDirectory(dir, m); err != nil {
		return nil, err
	}
	readOnly := o.Mapped || len(m.Shards) > 1 || m.Routing != nil || m.Keep == rowtype.External.String()
	if !readOnly && o.Memory > 0 {
		plan, err := shard.PlanSearch(dir, m, o.Memory, o.load)
		if err != nil {
			return nil, err
		}
		readOnly = plan.RowsOnDisk || plan.MappedShards > 0
	}
	if readOnly {
		return shardEngine(shard.Open(ctx, dir, m, shard.OpenOptions{
			Memory: o.Memory, Mapped: o.Mapped, Resident: o.Resident, PinUpper: o.PinUpper, Load: o.load,
			RowsApart: o.rowsApart, Custom: o.Distance, CustomName: o.DistanceName,
		}))
	}
	return graphEngine(store.OpenIndex(ctx, filepath.Join(dir, m.Shards[0].File), o.files()))
}

// checkDirectory tests that the files in dir are those that m is of, and as it says.
func checkDirectory(dir string, m *manifest.Manifest) error {
	if err := m.Check(dir); err != nil {
		return err
	}
	if err := m.CheckContent(dir); err != nil {
		return err
	}
	for _, s := range m.Shards {
		info, err := store.Inspect(filepath.Join(dir, s.File))
		if err != nil {
			return err
		}
		if storage, keep := coding.Names(info.Config); storage != m.Storage || keep != m.Keep {
			return &store.FormatError{
				File: filepath.Join(dir, manifest.Name), Offset: -1, Field: "storage and keep",
				Reason: fmt.Sprintf("%q and %q, those of %s are %q and %q", m.Storage, m.Keep, s.File, storage, keep),
			}
		}
	}
	return nil
}
