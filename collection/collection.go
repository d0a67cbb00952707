package collection

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	pebblevfs "github.com/cockroachdb/pebble/v2/vfs"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/filelock"
	"github.com/shale-search/shale/internal/vfs"
)

var (
	// ErrClosed reports the use of a collection that was closed.
	ErrClosed = shale.ErrClosed
	// ErrNotCollection reports a path at which there is something else than a collection.
	ErrNotCollection = errors.New("not a collection")
	// ErrLocked reports a collection that another process, or another Open of this process, has open.
	ErrLocked = filelock.ErrHeld
)

// Options says how to use a collection. The zero value of a field means its default.
type Options struct {
	// Memory bounds what the collection takes, in bytes: half at most for links and codes of segments, an eighth for
	// documents that aren't in files yet, a sixteenth for parts of the store that were read, and the rest for merging and
	// all else. Where a merge builds a graph anew and links and codes take their half, more may be used meanwhile: 7/16
	// for the merge, the program included. What is merged in less memory than one graph of the rows takes becomes
	// several shards, and rows of large segments are read from disk as searches need them. 0: merging has no bound, links
	// and codes are left to the page cache, and the others take what they take of 512 MiB. Mapped files aren't counted.
	Memory       int64
	SegmentRows  int // documents of the segment in memory, after which it becomes files; default: by Memory
	MergeThreads int // goroutines that build segments in the background; default half of the processors
	// DeferMerges leaves merging to Merge and Compact. An import of many documents is faster then, and searches are slower
	// until it has ended.
	DeferMerges bool
	CacheBytes  int64 // memory for parts of the store that were read; default: by Memory
	// SyncWindow is for how long a change may be in memory alone after the call that made it has returned. If the process
	// is killed or the machine loses power, the changes of that time are lost, the latest first, and none by half. They
	// are many times as fast on disks that take long to sync. 0: calls return when their change is on the disk.
	SyncWindow time.Duration
	// Wait is how long Open and Verify wait for another process that has the collection open, before they return
	// ErrLocked. Default: not at all. Waiting, if not nil, is called when the waiting begins.
	Wait    time.Duration
	Waiting func()

	// Limits of what may be written. Larger things are an error.
	MaxBatch         int // documents of a batch; default 10,000
	MaxIDBytes       int // of an ID that is a string; default 512
	MaxPayloadBytes  int // default 1 MiB
	MaxPayloadDepth  int // objects and arrays within each other; default 32
	MaxPayloadValues int // keys, values and brackets; default 10,000

	// What tests set.
	idle        bool         // nothing is done in the background: the test does it
	mergeMemory int64        // what a merge may take; 0: see mergeBytes
	apartAbove  int64        // values of an index above which its rows are read apart; 0: by Memory
	shards      int          // of indexes; 0: as many as Memory makes necessary
	storeDisk   pebblevfs.FS // that the store is on; nil: the system's
}

const (
	mostSegmentRows = 1 << 30
	storeDir        = "store"
)

func (o *Options) setDefaults() error {
	for _, f := range []struct {
		value        *int
		preset, most int
		name         string
	}{
		{&o.MaxBatch, 10_000, 1_000_000, "MaxBatch"},
		{&o.MaxIDBytes, 512, 1 << 16, "MaxIDBytes"}, {&o.MaxPayloadBytes, 1 << 20, 1 << 28, "MaxPayloadBytes"},
		{&o.MaxPayloadDepth, 32, 1000, "MaxPayloadDepth"}, {&o.MaxPayloadValues, 10_000, 1 << 24, "MaxPayloadValues"},
	} {
		if *f.value == 0 {
			*f.value = f.preset
		}
		if *f.value < 1 || *f.value > f.most {
			return invalidf("%s is %d, 1 to %d are allowed", f.name, *f.value, f.most)
		}
	}
	if o.MergeThreads == 0 {
		o.MergeThreads = max(1, min(runtime.GOMAXPROCS(0), runtime.NumCPU())/2)
	}
	if o.MergeThreads < 0 {
		return invalidf("MergeThreads is %d, below 0", o.MergeThreads)
	}
	if o.SyncWindow < 0 {
		return invalidf("SyncWindow is %v, below 0", o.SyncWindow)
	}
	if o.SegmentRows < 0 || o.SegmentRows > mostSegmentRows {
		return invalidf("SegmentRows is %d, 0 to %d are allowed", o.SegmentRows, mostSegmentRows)
	}
	return o.divideMemory()
}

// Collection is documents in a directory. Its methods may be called from many goroutines at once.
type Collection struct {
	dir     string
	options Options
	schema  Schema
	lock    *filelock.Lock
	db      *pebble.DB
	ids     *idCache

	users  sync.RWMutex // held shared by calls under way
	closed bool

	writing sync.Mutex // held by the one change under way
	edits   uint64     // payloads that were changed since the collection was opened
	next    uint64     // number of the next document; above state.next if documents that got one weren't written

	indexing  sync.Mutex // held by the one call that makes, drops or cleans payload indexes
	recording sync.Mutex // held while postings of a segment are stored, and while an index is dropped

	publishing sync.RWMutex // of state, together with what the store holds
	state      *state

	background
}

// Create makes a collection at dir, where nothing may be but an empty directory, and doesn't open it. It appears whole
// or not at all.
func Create(dir string, s Schema) error {
	err := create(dir, s, func(string, *pebble.DB) (counters, error) { return counters{}, nil })
	if err != nil {
		return fmt.Errorf("create collection %s: %w", dir, err)
	}
	return nil
}

// create makes a collection. fill writes what it holds from the beginning, and returns the counters that say so.
func create(dir string, s Schema, fill func(temp string, db *pebble.DB) (counters, error)) error {
	if err := s.check(); err != nil {
		return invalidf("%w", err)
	}
	record, err := s.encode()
	if err != nil {
		return err
	}
	return atomicfile.Dir(filepath.Clean(dir), false, func(temp string) error {
		if err := vfs.Mkdir(filepath.Join(temp, segmentsDir), 0o777); err != nil {
			return err
		}
		db, err := openStore(temp, storeOptions{create: true})
		if err != nil {
			return err
		}
		first, err := fill(temp, db)
		if err == nil {
			first.index = uint64(len(s.Indexes))
			b := db.NewBatch()
			err = errors.Join(b.Set([]byte{schemaKey}, record, nil), b.Set([]byte{countersKey}, first.encode(), nil),
				recordIndexes(b, s.Indexes), b.Commit(pebble.Sync))
		}
		return errors.Join(err, db.Close(), vfs.SyncDir(filepath.Join(temp, segmentsDir)), vfs.SyncDir(temp))
	})
}

// Open opens a collection. No other process can open it meanwhile. The vectors of the segments in memory are read.
func Open(ctx context.Context, dir string, o Options) (*Collection, error) {
	if err := o.setDefaults(); err != nil {
		return nil, fmt.Errorf("open collection %s: %w", dir, err)
	}
	c := &Collection{dir: filepath.Clean(dir), options: o}
	if err := c.open(ctx); err != nil {
		return nil, fmt.Errorf("open collection %s: %w", dir, errors.Join(err, c.free()))
	}
	return c, nil
}

func (c *Collection) open(ctx context.Context) (err error) {
	if c.lock, err = lockCollection(ctx, c.dir, c.options); err != nil {
		return err
	}
	if c.db, err = openStore(c.dir, c.options.store()); err != nil {
		return err
	}
	n, err := readContents(c.dir, c.db)
	if err != nil {
		return err
	}
	c.schema, c.next = n.schema, n.next
	c.options.chooseSegmentRows(n.schema)
	c.ids = newIDCache(c.options.memory() / 64)
	if err := n.removeOrphans(); err != nil {
		return err
	}
	views, err := n.openSegments(ctx, c.db, c.options.apart())
	c.state = newState(n.counters, views)
	if err != nil {
		return err
	}
	c.merging.interrupted = n.merge
	next := n.segment
	if n.merge != nil {
		next = max(next, n.merge.Number+1)
	}
	c.startBackground(next)
	return nil
}

// lockCollection locks the directory of a collection.
func lockCollection(ctx context.Context, dir string, o Options) (*filelock.Lock, error) {
	if _, err := vfs.Stat(dir); err != nil {
		return nil, err
	}
	info, err := vfs.Stat(filepath.Join(dir, storeDir))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%w: it has no directory %s", ErrNotCollection, storeDir)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotCollection, err)
	}
	return filelock.Acquire(ctx, dir, filelock.Options{Wait: o.Wait, Waiting: o.Waiting})
}

// Close waits for calls under way and closes the collection. What is done in the background is given up. Nothing needs
// to be written: all is on the disk.
func (c *Collection) Close() error {
	c.users.Lock()
	defer c.users.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	c.stopBackground()
	return c.free()
}

// free gives back what open took, as far as it came.
func (c *Collection) free() error {
	var errs []error
	if c.state != nil {
		errs = append(errs, c.state.release())
	}
	if c.db != nil {
		errs = append(errs, c.db.Close())
	}
	return errors.Join(append(errs, c.lock.Close())...)
}

// enter begins a call, which leave ends.
func (c *Collection) enter() error {
	c.users.RLock()
	if c.closed {
		c.users.RUnlock()
		return ErrClosed
	}
	return nil
}

func (c *Collection) leave() { c.users.RUnlock() }

// Schema returns what the documents hold.
func (c *Collection) Schema() Schema { return c.schema }

// Count returns the number of documents.
func (c *Collection) Count() (int, error) {
	r, err := c.read()
	if err != nil {
		return 0, err
	}
	return int(r.documents), r.end()
}
