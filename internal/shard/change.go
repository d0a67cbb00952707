package shard

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
)

// An index of several shards is changed shard by shard. A new row goes to the shard that a query equal to it searches
// first. If a row replaces one with the same label, it replaces it in each shard that holds the label; if a query equal
// to the new row searches none of these shards, one more shard gets a copy. A mapped shard is loaded before it changes.
// Searches continue during changes.

// ErrReadOnly reports an index that can't be changed.
var ErrReadOnly = errors.New("the index can't be changed")

// counts holds the numbers of rows. Changes update it.
type counts struct {
	rows    atomic.Int64 // labels, including those marked deleted
	deleted atomic.Int64 // labels marked deleted
	stored  atomic.Int64 // rows of all shards, including copies and deleted ones: the most that a search can find
	repeats atomic.Bool  // several shards may hold the same label
}

// copies returns the average number of rows stored for each label.
func (c *counts) copies() float64 {
	return float64(c.stored.Load()) / float64(max(c.rows.Load(), 1))
}

// most returns the largest number of rows that a search may find, at least 1.
func (x *Index) most() int { return int(max(x.counts.stored.Load(), 1)) }

// change is the state that changes of an index need. The zero value is ready to use.
type change struct {
	mu      sync.Mutex // held during each change and each save; guards the fields below
	next    hnsw.LabelCounter
	finder  finder
	copies  float64 // average number of rows that the build stored for each label
	changed []bool  // whether each shard differs from its file
	failed  error   // the error of a change that ended after it had changed some shards but not all
	bounded bool    // memory is bounded and doesn't hold all shards

	filesMu sync.Mutex // guards the fields below
	at      string     // the directory of the files
	files   []manifest.Shard
}

// begin sets the counts and files of an index whose parts are open.
func (x *Index) begin(memory int64) {
	x.counts.rows.Store(int64(x.m.Rows))
	x.counts.deleted.Store(int64(x.m.Deleted))
	for _, p := range x.parts {
		x.counts.stored.Add(int64(p.Len()))
	}
	x.counts.repeats.Store(x.m.Routing != nil && x.m.Routing.Copies > 1)
	x.change.copies = 1
	if x.m.Routing != nil {
		x.change.copies = x.m.Routing.Copies
	}
	x.change.at, x.change.files = x.dir, slices.Clone(x.m.Shards)
	x.external = x.allExternal()
	x.change.changed = make([]bool, len(x.parts))
	x.change.bounded = memory > 0 && (x.plan.RowsOnDisk || x.plan.MappedShards > 0)
}

// mayChange returns the reason why the index can't be changed, if there is one.
func (x *Index) mayChange() error {
	switch {
	case x.closed.Load():
		return hnsw.ErrClosed
	case x.change.failed != nil:
		return fmt.Errorf("an earlier change ended after some of the shards: open the index again: %w", x.change.failed)
	case len(x.parts) == 1:
		return fmt.Errorf("%w: it is mapped, or its rows lie on disk or elsewhere: open it in memory", ErrReadOnly)
	case x.External():
		return fmt.Errorf("%w: it is external: build it anew from all vectors", ErrReadOnly)
	case slices.ContainsFunc(x.m.Shards, func(s manifest.Shard) bool { return s.Blocks != nil }):
		return fmt.Errorf("%w: its rows and links also lie side by side in blocks: build it anew, without blocks or from "+
			"all vectors",
			ErrReadOnly)
	case x.change.bounded:
		return fmt.Errorf("%w: its shards are on disk for want of memory: open it without a bound", ErrReadOnly)
	}
	return nil
}

// writable returns shard i as an index that can be changed; it loads the shard if necessary. The caller holds
// change.mu.
func (x *Index) writable(ctx context.Context, i int) (*hnsw.Index, error) {
	old := x.parts[i]
	if old.graph != nil {
		return old.graph, nil
	}
	s := x.change.files[i]
	path := filepath.Join(x.change.at, s.File)
	if err := isFile(x.change.at, s); err != nil {
		return nil, err
	}
	g, err := store.OpenIndex(ctx, path, x.files)
	if err != nil {
		return nil, err
	}
	p := &part{Reader: &g.Reader, close: g.Close, graph: g, rowsAt: old.rowsAt, rowsEnd: old.rowsEnd}
	if err := x.checkPart(p, path, s); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	x.using.Lock()
	defer x.using.Unlock()
	if x.closed.Load() {
		return nil, errors.Join(hnsw.ErrClosed, g.Close())
	}
	x.parts[i] = p
	return g, old.close()
}

// isFile returns an error if the file of a shard in dir isn't the one that s describes.
func isFile(dir string, s manifest.Shard) error {
	now, err := manifest.Describe(dir, s.File)
	if err != nil {
		return err
	}
	if now.Bytes != s.Bytes || now.CRC32C != s.CRC32C {
		return corrupt(filepath.Join(dir, s.File), "file", "it has changed since the index was opened: open it again")
	}
	return nil
}

// place is the set of shards that hold a label.
type place struct {
	parts   []uint32
	deleted bool // in all of them
}

func (p *place) add(part int, deleted bool) {
	p.deleted = deleted && (p.deleted || len(p.parts) == 0)
	p.parts = append(p.parts, uint32(part))
}

// locate returns the places of those labels that the index has. The caller holds change.mu.
func (x *Index) locate(labels []uint64) (map[uint64]*place, error) {
	found := map[uint64]*place{}
	note := func(part int, label uint64, deleted bool) {
		if found[label] == nil {
			found[label] = &place{}
		}
		found[label].add(part, deleted)
	}
	sorted := slices.Clone(labels)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	for i, p := range x.parts {
		if p.graph == nil {
			if err := p.FindEach(sorted, func(l uint64, deleted bool) { note(i, l, deleted) }); err != nil {
				return nil, x.ofPart(i, err)
			}
			continue
		}
		for _, l := range sorted {
			deleted, ok, err := p.graph.Find(l)
			if err != nil {
				return nil, x.ofPart(i, err)
			}
			if ok {
				note(i, l, deleted)
			}
		}
	}
	return found, nil
}

// Contains reports for each label whether a row that isn't deleted has it.
func (x *Index) Contains(labels ...uint64) ([]bool, error) {
	x.change.mu.Lock()
	defer x.change.mu.Unlock()
	found, err := x.locate(labels)
	if err != nil {
		return nil, err
	}
	there := make([]bool, len(labels))
	for i, label := range labels {
		p := found[label]
		there[i] = p != nil && !p.deleted
	}
	return there, nil
}

// Delete marks labels deleted in every shard that holds them. If some are unknown or deleted already, it returns an
// *hnsw.LabelsError that lists them, and deletes the others all the same.
func (x *Index) Delete(ctx context.Context, labels ...uint64) error { return x.mark(ctx, labels, true) }

// Undelete removes the marks that Delete has set. It returns the same errors as Delete.
func (x *Index) Undelete(ctx context.Context, labels ...uint64) error {
	return x.mark(ctx, labels, false)
}

func (x *Index) mark(ctx context.Context, labels []uint64, deleted bool) error {
	x.change.mu.Lock()
	defer x.change.mu.Unlock()
	if err := x.mayChange(); err != nil {
		return err
	}
	found, err := x.locate(labels)
	if err != nil {
		return err
	}
	for _, p := range found {
		if p.deleted == deleted {
			continue
		}
		if err := x.loadAll(ctx, p.parts); err != nil {
			return err
		}
	}
	return hnsw.EachLabelOf(labels, func(label uint64) error {
		if x.change.failed != nil {
			return x.change.failed
		}
		p := found[label]
		if p == nil {
			return fmt.Errorf("%w: %d", hnsw.ErrLabel, label)
		}
		if err := hnsw.CheckMark(label, p.deleted, deleted); err != nil {
			return err
		}
		x.change.failed = x.markIn(p.parts, label, deleted)
		p.deleted = deleted
		return x.change.failed
	})
}

// markIn marks a label in the given parts, which are loaded.
func (x *Index) markIn(parts []uint32, label uint64, deleted bool) error {
	mark, by := (*hnsw.Index).Undelete, int64(-1)
	if deleted {
		mark, by = (*hnsw.Index).Delete, 1
	}
	for _, i := range parts {
		err := mark(x.parts[i].graph, label)
		if err != nil && !errors.Is(err, hnsw.ErrDeleted) && !errors.Is(err, hnsw.ErrNotDeleted) {
			return x.ofPart(int(i), err)
		}
		x.change.changed[i] = true
	}
	x.counts.deleted.Add(by)
	return nil
}

// loadAll loads the given parts.
func (x *Index) loadAll(ctx context.Context, parts []uint32) error {
	for _, i := range parts {
		if _, err := x.writable(ctx, int(i)); err != nil {
			return fmt.Errorf("load shard %d: %w", i, err)
		}
	}
	return nil
}

// ReserveLabels reserves the n labels after the largest that any row has ever had, and returns the first.
func (x *Index) ReserveLabels(n int) (first uint64, err error) {
	x.change.mu.Lock()
	defer x.change.mu.Unlock()
	return x.reserve(n)
}

func (x *Index) reserve(n int) (first uint64, err error) {
	if !x.change.next.Known() {
		largest, any, err := x.LargestLabel()
		if err != nil {
			return 0, err
		}
		x.change.next.Start(largest, any)
	}
	return x.change.next.Reserve(n)
}
