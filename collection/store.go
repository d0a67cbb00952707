package collection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	pebblevfs "github.com/cockroachdb/pebble/v2/vfs"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/internal/vfs"
)

// storeOptions says how to open a store. The zero value opens one that is there.
type storeOptions struct {
	create   bool
	readOnly bool
	cache    int64
	memtable uint64       // bytes of changes that are held in memory, and in a log, until they are a table; 0: Pebble's
	disk     pebblevfs.FS // nil: the system's
}

// filterBits is the size of a Bloom filter for each key: of 100 look-ups of keys that aren't there one reads a table.
const filterBits = 10

// openStore opens the store in a collection's directory.
func openStore(dir string, o storeOptions) (*pebble.DB, error) {
	path := filepath.Join(dir, storeDir)
	options := &pebble.Options{
		// Every version of the file format that this version of Shale writes, until it says otherwise here.
		FormatMajorVersion:          pebble.FormatValueSeparation,
		ErrorIfExists:               o.create,
		ErrorIfNotExists:            !o.create,
		ReadOnly:                    o.readOnly,
		CacheSize:                   o.cache,
		MemTableSize:                o.memtable,
		FS:                          orderedDisk(o.disk),
		MemTableStopWritesThreshold: 2, // Pebble keeps one log more than that to write it again
		Logger:                      storeLogger{path},
		Merger:                      storeMerger,
		// Documents change in random order, so each compaction of level 0 rewrites most of the next level. With the
		// default of 4 tables, compactions wrote 2.5 times as many bytes. Bloom filters let look-ups skip most of the tables.
		L0CompactionThreshold: 12,
		L0StopWritesThreshold: 24,
	}
	for i := range options.Levels {
		options.Levels[i].FilterPolicy = bloom.FilterPolicy(filterBits)
	}
	db, err := pebble.Open(path, options)
	if err != nil {
		return nil, &format.Error{File: path, Offset: -1, Field: "store", Reason: "it can't be opened", Err: err}
	}
	return db, nil
}

// storeLogger logs the errors that Pebble reports and drops its other messages.
type storeLogger struct{ path string }

func (storeLogger) Infof(string, ...any) {}

func (l storeLogger) Errorf(format string, args ...any) {
	slog.Error("collection: "+fmt.Sprintf(format, args...), "store", l.path)
}

// Fatalf ends the process, as Pebble demands: it failed to write its log, so it doesn't know what the disk holds.
// Opening the collection again finds all that was acknowledged.
func (l storeLogger) Fatalf(format string, args ...any) {
	l.Errorf(format, args...)
	os.Exit(1)
}

// get returns a copy of the value of a key, nil where there is none.
func get(r pebble.Reader, key []byte) ([]byte, error) {
	value, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	value = append([]byte{}, value...)
	return value, closer.Close()
}

// each calls fn with the keys from lower to those before upper, in order. fn must not keep its arguments.
func each(r pebble.Reader, lower, upper []byte, fn func(key, value []byte) error) (err error) {
	i, err := r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	for i.First(); i.Valid(); i.Next() {
		value, err := i.ValueAndErr()
		if err != nil {
			return err
		}
		if err := fn(i.Key(), value); err != nil {
			return err
		}
	}
	return i.Error()
}

// eachOf calls fn with the keys that begin with a byte.
func eachOf(r pebble.Reader, prefix byte, fn func(key, value []byte) error) error {
	return each(r, []byte{prefix}, []byte{prefix + 1}, fn)
}

// damaged is an error about a key of a collection's store.
func damaged(dir string, key []byte, reason string) error {
	return &format.Error{
		File: filepath.Join(dir, storeDir), Offset: -1, Field: fmt.Sprintf("key %q", key), Reason: reason,
	}
}

// contents is what the store says about segments.
type contents struct {
	dir    string
	schema Schema
	counters
	sealed []sealedSegment // by the numbers of their documents
	merge  *mergeRecord    // that was interrupted; nil: none
}

// sealedSegment is what the store says about a sealed segment.
type sealedSegment struct {
	segmentRecord
	number uint64
	dead   *roaring64.Bitmap
}

// readContents reads and checks what a store says about segments.
func readContents(dir string, r pebble.Reader) (*contents, error) {
	n := &contents{dir: dir}
	value, err := get(r, []byte{schemaKey})
	if err != nil {
		return nil, err
	}
	if n.schema, err = decodeSchema(value); err != nil {
		return nil, damaged(dir, []byte{schemaKey}, err.Error())
	}
	if value, err = get(r, []byte{countersKey}); err != nil {
		return nil, err
	}
	var ok bool
	if n.counters, ok = decodeCounters(value); !ok {
		return nil, damaged(dir, []byte{countersKey}, "the counters are damaged")
	}
	if n.there, err = readThere(dir, r); err != nil {
		return nil, err
	}
	if n.indexes, err = readIndexes(dir, r); err != nil {
		return nil, err
	}
	if err := n.readSegments(r); err != nil {
		return nil, err
	}
	if n.merge, err = readMerge(dir, r); err != nil {
		return nil, err
	}
	if n.merge != nil && slices.ContainsFunc(n.sealed, func(s sealedSegment) bool { return s.number == n.merge.Number }) {
		return nil, damaged(dir, []byte{mergeKey}, "the segment that is being merged is there already")
	}
	return n, n.readTombstones(r)
}

func (n *contents) readSegments(r pebble.Reader) error {
	err := eachOf(r, segmentKey, func(key, value []byte) error {
		number, ok := number(key, 1)
		if !ok || number >= n.segment {
			return damaged(n.dir, key, "there is no such segment")
		}
		r, err := decodeSegment(value, len(n.schema.Vectors))
		if err != nil {
			return damaged(n.dir, key, err.Error())
		}
		if r.End > n.first {
			return damaged(n.dir, key, "its numbers reach into the growing segment")
		}
		n.sealed = append(n.sealed, sealedSegment{r, number, noneDead()})
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(n.sealed, func(a, b sealedSegment) int { return cmp.Compare(a.First, b.First) })
	for i := 1; i < len(n.sealed); i++ {
		if n.sealed[i].First < n.sealed[i-1].End {
			return damaged(n.dir, keyOfNumber(segmentKey, n.sealed[i].number), "its numbers overlap those of another segment")
		}
	}
	return nil
}

func (n *contents) readTombstones(r pebble.Reader) error {
	places := make(map[uint64]int, len(n.sealed))
	for i, s := range n.sealed {
		places[s.number] = i
	}
	return eachOf(r, tombstoneKey, func(key, _ []byte) error {
		if dead, ok := number(key, 9); ok {
			segment, _ := number(key[:9], 1)
			if i, ok := places[segment]; ok && n.sealed[i].First <= dead && dead < n.sealed[i].End {
				n.sealed[i].dead.Add(dead)
				return nil
			}
		}
		return damaged(n.dir, key, "no segment has such a row")
	})
}

// openSegments opens the sealed segments, apart as in openSegment, and reads the vectors in the store into a growing
// one. After an error it returns those that are open.
func (n *contents) openSegments(ctx context.Context, r pebble.Reader, apart int64) (views []view, err error) {
	for _, s := range n.sealed {
		g, err := openSegment(ctx, n.dir, n.schema, s.number, s.segmentRecord, apart)
		if err != nil {
			return views, err
		}
		views = append(views, view{g, s.End, s.dead})
	}
	grow := grown(growSegment(n.schema, n.first))
	return append(views, grow), n.fill(ctx, r, grow)
}

// fill appends the vectors in the store to a segment.
func (n *contents) fill(ctx context.Context, r pebble.Reader, grow view) error {
	for i, v := range n.schema.Vectors {
		row := make([]float32, v.Dim)
		err := each(r, keyOfVector(i, n.first), keyOfVector(i, math.MaxUint64), func(key, value []byte) error {
			number, ok := number(key, 2)
			if !ok || number >= n.next || !decodeVector(value, row) || score.Check(v.Metric, row) != nil {
				return damaged(n.dir, key, "the vector is damaged")
			}
			return cmp.Or(ctx.Err(), grow.flats[i].append(number, row))
		})
		if err != nil {
			return err
		}
	}
	return grow.postings.fill(ctx, n.indexes, r, n.first, n.next)
}

// removeOrphans removes the files of segments that no record names: those whose writing was interrupted. Those of an
// interrupted merge stay.
func (n *contents) removeOrphans() error {
	dir := filepath.Join(n.dir, segmentsDir)
	atomicfile.Clear(dir)
	named := map[string]bool{}
	for _, s := range n.sealed {
		for v := range s.Rows {
			named[segmentName(s.number, v)] = true
		}
	}
	if n.merge != nil {
		for v := range n.schema.Vectors {
			name := segmentName(n.merge.Number, v)
			named[name], named[filepath.Base(shard.BuildDir(filepath.Join(dir, name)))] = true, true
		}
	}
	entries, err := vfs.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if segmentNames.MatchString(e.Name()) && !named[e.Name()] {
			if err := vfs.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
