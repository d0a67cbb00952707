// Package shard makes one index of many graphs: it divides rows into shards whose neighbourhoods are cut as little as
// possible, builds them one at a time under a memory budget, and searches all of them or those that a query needs.
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
	dir    string
	m      *manifest.Manifest // as it was opened: counts and files of now are those below
	metric vector.Metric
	parts  []*part // replaced with using held for writing
	router *router // nil: there is none, every search covers all shards
	plan   Plan

	external bool // the rows lie elsewhere and are attached

	counts counts
	change change

	attaching sync.Mutex
	global    atomic.Bool // of a directory of hnswlib-mmap: labels in its graphs are the whole index's
	faults    atomic.Bool // reading the rows attached may fault
	files     store.Options

	lanes sync.Pool

	readersMu sync.Mutex
	readers   []*diskread.Reader // not in use now
	using     sync.RWMutex       // held for reading by searches
	closed    atomic.Bool
}

// part is one shard.
type part struct {
	*hnsw.Reader
	close  func() error
	graph  *hnsw.Index // that can be changed; nil: it is to be loaded first
	rows   *rowFile    // where they stay on disk; nil: the reader has them
	blocks *blockFile  // where they and links stay on disk; nil: the reader has links

	// What follows is that of an external index. Its rows are those from rowsAt to rowsEnd of the ones attached.
	frozen          *hnsw.Frozen
	rowsAt, rowsEnd int
}

// Plan is the one that Open picked.
func (x *Index) Plan() Plan { return x.plan }

// Manifest returns what the directory says of itself, with the counts of now.
func (x *Index) Manifest() *manifest.Manifest {
	x.using.RLock()
	m := *x.m
	x.using.RUnlock()
	x.change.filesMu.Lock()
	m.Shards = slices.Clone(x.change.files)
	x.change.filesMu.Unlock()
	m.Rows, m.Deleted = int(x.counts.rows.Load()), int(x.counts.deleted.Load())
	if m.Routing != nil {
		r := *m.Routing
		r.Copies = x.counts.copies()
		m.Routing = &r
	}
	return &m
}

// Len is the number of rows that a search may find.
func (x *Index) Len() int { return int(x.counts.rows.Load() - x.counts.deleted.Load()) }

// Deleted is the number of rows marked deleted.
func (x *Index) Deleted() int { return int(x.counts.deleted.Load()) }

// Config is that of the graphs of all shards.
func (x *Index) Config() hnsw.Config {
	x.using.RLock()
	defer x.using.RUnlock()
	return x.parts[0].Config()
}

// Dim is the number of values a row.
func (x *Index) Dim() int { return x.m.Dim }

// Metric is how distances are computed.
func (x *Index) Metric() vector.Metric { return x.metric }

// Shards is their number.
func (x *Index) Shards() int { return len(x.parts) }

// Stats adds up those of the shards and of the routing; copies of a row count each.
func (x *Index) Stats() (hnsw.Stats, error) {
	x.using.RLock()
	defer x.using.RUnlock()
	if x.closed.Load() {
		return hnsw.Stats{}, hnsw.ErrClosed
	}
	var sum hnsw.Stats
	for _, p := range x.parts {
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

// Close frees the memory, once the searches under way have ended. A closed index answers hnsw.ErrClosed.
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
	for _, p := range x.parts {
		errs = append(errs, p.close())
	}
	if x.router != nil {
		errs = append(errs, x.router.close())
	}
	return errors.Join(errs...)
}

// corrupt says that a file isn't what the manifest says.
func corrupt(path, field, reason string, args ...any) error {
	return &store.FormatError{File: path, Offset: -1, Field: field, Reason: fmt.Sprintf(reason, args...)}
}
