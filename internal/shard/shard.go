// Package shard implements an index of several graphs, its shards. It divides rows such that most neighbours are in the
// same shard, builds the shards one at a time within a bound of memory, and searches all shards or those that a query
// needs.
package shard

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/internal/diskread"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/vector"
)

// Index is a directory of shards. Its methods may be called from many goroutines at once.
type Index struct {
	dir     string
	m       *manifest.Manifest // as it was when opened; the fields below hold the current counts and files
	metric  vector.Metric
	parts   []*part // the shards; replaced only while using is locked for writing
	growing *part   // the growing segment, or nil; under the same rule
	router  *router // nil if every search covers all shards
	plan    Plan

	external bool // the rows are outside the index and are attached

	counts counts
	change change

	attaching sync.Mutex
	global    atomic.Bool // in a directory of hnswlib-mmap, labels in graphs are those of the whole index
	faults    atomic.Bool // reading the attached rows may cause a page fault that fails
	files     store.Options

	lanes sync.Pool
	ahead ahead

	readersMu sync.Mutex
	readers   []*diskread.Reader // not in use at the moment
	using     sync.RWMutex       // held for reading by searches
	closed    atomic.Bool
}

// part is one shard.
type part struct {
	*hnsw.Reader
	close  func() error
	graph  *hnsw.Index // the graph, if it is in memory as a whole; else nil
	rows   *rowFile    // the rows, if they stay on disk; nil if the reader has them
	blocks *blockFile  // rows and links, if they stay on disk; nil if the reader has the links

	ownMarks bool // SetDeleted can change the marks

	// The fields below are for external indexes. The rows of the shard are the attached rows from rowsAt to rowsEnd.
	frozen          *hnsw.Frozen
	rowsAt, rowsEnd int
}

// Plan returns the plan that Open chose.
func (x *Index) Plan() Plan { return x.plan }

// Manifest returns the manifest of the directory with the current counts.
func (x *Index) Manifest() *manifest.Manifest {
	x.using.RLock()
	m := *x.m
	x.using.RUnlock()
	x.change.filesMu.Lock()
	m.Shards = slices.Clone(x.change.files)
	m.Growing, m.Dead = x.change.growing, x.change.dead
	x.change.filesMu.Unlock()
	m.Rows, m.Deleted = int(x.counts.rows.Load()), int(x.counts.deleted.Load())
	return &m
}

// Len returns the number of rows that aren't marked deleted.
func (x *Index) Len() int { return int(x.counts.rows.Load() - x.counts.deleted.Load()) }

// Deleted returns the number of rows marked deleted.
func (x *Index) Deleted() int { return int(x.counts.deleted.Load()) }

// Config returns the configuration that the graphs of all shards share.
func (x *Index) Config() hnsw.Config {
	x.using.RLock()
	defer x.using.RUnlock()
	return x.parts[0].Config()
}

// Dim returns the number of values of a row.
func (x *Index) Dim() int { return x.m.Dim }

// Metric returns the metric of distances.
func (x *Index) Metric() vector.Metric { return x.metric }

// Growing returns the number of rows of the growing segment, deleted ones included.
func (x *Index) Growing() int {
	x.using.RLock()
	defer x.using.RUnlock()
	if x.growing == nil {
		return 0
	}
	return x.growing.Len()
}

// Shards returns the number of shards.
func (x *Index) Shards() int { return len(x.parts) }

// Stats returns the sums of the statistics of all shards, the growing segment and the routing. Each copy of a row
// counts.
func (x *Index) Stats() (hnsw.Stats, error) {
	x.using.RLock()
	defer x.using.RUnlock()
	if x.closed.Load() {
		return hnsw.Stats{}, hnsw.ErrClosed
	}
	var sum hnsw.Stats
	for _, p := range x.all() {
		s, err := p.Stats()
		if err != nil {
			return sum, err
		}
		if p.blocks != nil {
			s.Memory.Links = int64(len(p.blocks.cached))
		}
		sum.Add(s)
	}
	if x.router == nil {
		return sum, nil
	}
	s, err := x.router.index.Stats()
	if err != nil {
		return sum, err
	}
	elements := sum
	sum.Add(s)
	elements.Memory = sum.Memory
	return elements, nil
}

// Close waits for running searches and frees the memory. Methods of a closed index return hnsw.ErrClosed.
func (x *Index) Close() error {
	if x.closed.Swap(true) {
		return nil
	}
	x.using.Lock()
	defer x.using.Unlock()
	var errs []error
	for _, r := range x.readers {
		errs = append(errs, r.Close())
	}
	for _, p := range x.all() {
		errs = append(errs, p.close())
	}
	if x.router != nil {
		errs = append(errs, x.router.close())
	}
	return errors.Join(errs...)
}

// corrupt returns an error which says that a file doesn't match the manifest.
func corrupt(path, field, reason string, args ...any) error {
	return &store.FormatError{File: path, Offset: -1, Field: field, Reason: fmt.Sprintf(reason, args...)}
}
