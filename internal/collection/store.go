package collection

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/vfs"
	"github.com/shale-search/shale/vector"
)

// storeOptions says how to open a store. The zero value opens one that is there.
type storeOptions struct {
	create   bool
	readOnly bool
	cache    int64
}

// openStore opens the store in a collection's directory.
func openStore(dir string, o storeOptions) (*pebble.DB, error) {
	path := filepath.Join(dir, storeDir)
	db, err := pebble.Open(path, &pebble.Options{
		// Every version of the file format that this version of Shale writes, until it says otherwise here.
		FormatMajorVersion:          pebble.FormatValueSeparation,
		ErrorIfExists:               o.create,
		ErrorIfNotExists:            !o.create,
		ReadOnly:                    o.readOnly,
		CacheSize:                   o.cache,
		MemTableSize:                16 << 20,
		MemTableStopWritesThreshold: 4,
		Logger:                      storeLogger{path},
	})
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
	records []segmentRecord // of the sealed segments, by numbers
	numbers []uint64        // of the segments
	dead    []view          // their tombstones; the segments of the views are nil
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
	err = eachOf(r, segmentKey, func(key, value []byte) error { return n.addSegment(key, value) })
	if err != nil {
		return nil, err
	}
	if last := len(n.records) - 1; last >= 0 && n.records[last].End > n.first {
		return nil, damaged(dir, keyOfNumber(segmentKey, n.numbers[last]), "its numbers reach into the growing segment")
	}
	return n, eachOf(r, tombstoneKey, func(key, _ []byte) error { return n.addTombstone(key) })
}

func (n *contents) addSegment(key, value []byte) error {
	number, ok := number(key, 1)
	if !ok || number >= n.segment {
		return damaged(n.dir, key, "there is no such segment")
	}
	r, err := decodeSegment(value, len(n.schema.Vectors))
	if err != nil {
		return damaged(n.dir, key, err.Error())
	}
	if last := len(n.records) - 1; last >= 0 && r.First < n.records[last].End {
		return damaged(n.dir, key, "its numbers overlap those of the segment before")
	}
	n.records, n.numbers = append(n.records, r), append(n.numbers, number)
	n.dead = append(n.dead, view{dead: noneDead()})
	return nil
}

func (n *contents) addTombstone(key []byte) error {
	dead, ok := number(key, 9)
	for i := len(n.numbers) - 1; i >= 0 && ok; i-- {
		r := n.records[i]
		if segment, _ := number(key[:9], 1); segment == n.numbers[i] && r.First <= dead && dead < r.End {
			n.dead[i].dead.Add(uint32(dead - r.First))
			return nil
		}
	}
	return damaged(n.dir, key, "no segment has such a row")
}

// openSegments opens the sealed segments and makes an empty growing one. After an error it returns those that are open.
func (n *contents) openSegments(ctx context.Context) (views []view, err error) {
	for i, r := range n.records {
		g, err := openSegment(ctx, n.dir, n.schema, n.numbers[i], r)
		if err != nil {
			return views, err
		}
		views = append(views, view{g, n.dead[i].dead})
	}
	g, err := growSegment(n.schema, n.segment, n.first)
	if err != nil {
		return views, err
	}
	return append(views, view{g, noneDead()}), nil
}

// fillBlock is the number of rows that are read from the store and added at once.
const fillBlock = 1024

// fillGrowing adds the vectors in the store to the growing segment.
func (n *contents) fillGrowing(ctx context.Context, r pebble.Reader, grow view, threads int) error {
	for i, v := range n.schema.Vectors {
		rows, labels := make([]float32, 0, fillBlock*v.Dim), make([]uint64, 0, fillBlock)
		flush := func() error {
			err := addRows(ctx, grow.indexes[i], rows, labels, threads)
			rows, labels = rows[:0], labels[:0]
			return err
		}
		err := each(r, keyOfVector(i, n.first), keyOfVector(i, math.MaxUint64), func(key, value []byte) error {
			label, ok := number(key, 2)
			row := rows[len(rows) : len(rows)+v.Dim]
			if !ok || label >= n.next || !decodeVector(value, row) {
				return damaged(n.dir, key, "the vector is damaged")
			}
			rows, labels = rows[:len(rows)+v.Dim], append(labels, label)
			if len(labels) < fillBlock {
				return nil
			}
			return flush()
		})
		if err == nil {
			err = flush()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addRows adds packed rows to an index.
func addRows(ctx context.Context, x *shale.Index, rows []float32, labels []uint64, threads int) error {
	if len(labels) == 0 {
		return nil
	}
	m, err := vector.Of(rows, x.Dim())
	if err != nil {
		return err
	}
	return x.AddBatch(ctx, m, shale.AddOptions{Labels: labels, Threads: threads})
}

// removeOrphans removes the files of segments that no record names: those whose sealing was interrupted.
func (n *contents) removeOrphans() error {
	dir := filepath.Join(n.dir, segmentsDir)
	atomicfile.Clear(dir)
	named := map[string]bool{}
	for i, number := range n.numbers {
		for v := range n.records[i].Rows {
			named[segmentName(number, v)] = true
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
