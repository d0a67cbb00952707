package shard

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/store/manifest"
)

// An index of several shards is changed beside its shards, whose files stay as they are. New rows go to the growing
// segment, a graph in memory that every search looks into. Rows of shards die when their labels are deleted, or get new
// rows in the growing segment: searches pass them over. Searches continue during changes.

// ErrReadOnly reports an index that can't be changed.
var ErrReadOnly = errors.New("the index can't be changed")

// counts holds the numbers of rows. Changes update it.
type counts struct {
	rows    atomic.Int64 // labels, including those marked deleted
	deleted atomic.Int64 // labels marked deleted
	stored  atomic.Int64 // rows of all graphs, including copies and dead ones: the most that a search can find
	repeats atomic.Bool  // a search may meet the same label twice
}

// most returns the largest number of rows that a search may find, at least 1.
func (x *Index) most() int { return int(max(x.counts.stored.Load(), 1)) }

// change is the state that changes of an index need. The zero value is ready to use.
type change struct {
	mu       sync.Mutex // held during each change and each save; guards the fields below
	next     hnsw.LabelCounter
	replaced int   // labels of the growing segment that shards hold too, on dead rows
	grown    bool  // the growing segment differs from its file
	marked   bool  // the dead rows of shards differ from those in the file
	failed   error // the error of a change that ended half-way

	filesMu sync.Mutex // guards the fields below
	at      string     // the directory of the files
	files   []manifest.Shard
	growing *manifest.Growing
	dead    *manifest.Shard
}

// begin sets the counts and files of an index whose parts are open.
func (x *Index) begin() {
	x.counts.rows.Store(int64(x.m.Rows))
	x.counts.deleted.Store(int64(x.m.Deleted))
	for _, p := range x.all() {
		x.counts.stored.Add(int64(p.Len()))
	}
	x.counts.repeats.Store(x.m.Routing != nil && x.m.Routing.Copies > 1)
	x.change.at, x.change.files = x.dir, slices.Clone(x.m.Shards)
	x.change.growing, x.change.dead = x.m.Growing, x.m.Dead
	if x.m.Growing != nil {
		x.change.replaced = x.m.Growing.Replaced
	}
	x.external = x.allExternal()
}

// mayChange returns the reason why the index can't be changed, if there is one.
func (x *Index) mayChange() error {
	switch {
	case x.closed.Load():
		return hnsw.ErrClosed
	case x.change.failed != nil:
		return fmt.Errorf("an earlier change ended half-way: open the index again: %w", x.change.failed)
	case len(x.parts) == 1:
		return fmt.Errorf("%w: it is mapped, or its rows lie on disk or elsewhere: open it in memory", ErrReadOnly)
	case x.External():
		return fmt.Errorf("%w: it is external: build it anew from all vectors", ErrReadOnly)
	}
	return nil
}

// Changeable reports whether the index can be changed. The error says why not.
func (x *Index) Changeable() error {
	x.change.mu.Lock()
	defer x.change.mu.Unlock()
	return x.mayChange()
}

// place is where shards hold a label.
type place struct {
	rows    []partRow
	deleted bool // in all of them
}

type partRow struct {
	part, id uint32
	dead     bool // when it was located
}

func (p *place) add(part int, id uint32, deleted bool) {
	p.deleted = deleted && (p.deleted || len(p.rows) == 0)
	p.rows = append(p.rows, partRow{uint32(part), id, deleted})
}

// locate returns the places of those labels that shards have. The caller holds change.mu.
func (x *Index) locate(labels []uint64) (map[uint64]*place, error) {
	found := map[uint64]*place{}
	note := func(part int, id uint32, label uint64, deleted bool) {
		if found[label] == nil {
			found[label] = &place{}
		}
		found[label].add(part, id, deleted)
	}
	sorted := slices.Clone(labels)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	for i, p := range x.parts {
		if p.graph == nil {
			err := p.FindEach(sorted, func(id uint32, l uint64, deleted bool) { note(i, id, l, deleted) })
			if err != nil {
				return nil, x.ofPart(i, err)
			}
			continue
		}
		for _, l := range sorted {
			id, deleted, ok, err := p.graph.Element(l)
			if err != nil {
				return nil, x.ofPart(i, err)
			}
			if ok {
				note(i, id, l, deleted)
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
		deleted, grown, err := x.inGrowing(label)
		if err != nil {
			return nil, err
		}
		p := found[label]
		there[i] = grown && !deleted || !grown && p != nil && !p.deleted
	}
	return there, nil
}

// Delete marks labels deleted. If some are unknown or deleted already, it returns an *hnsw.LabelsError that lists them,
// and deletes the others all the same.
func (x *Index) Delete(labels ...uint64) error { return x.mark(labels, true) }

// Undelete removes the marks that Delete has set. It returns the same errors as Delete.
func (x *Index) Undelete(labels ...uint64) error { return x.mark(labels, false) }

func (x *Index) mark(labels []uint64, deleted bool) error {
	x.change.mu.Lock()
	defer x.change.mu.Unlock()
	if err := x.mayChange(); err != nil {
		return err
	}
	found, err := x.locate(labels)
	if err != nil {
		return err
	}
	if err := x.ownMarks(found); err != nil {
		return err
	}
	return hnsw.EachLabelOf(labels, func(label uint64) error {
		if x.change.failed != nil {
			return x.change.failed
		}
		err := x.markLabel(label, found[label], deleted)
		switch {
		case err != nil:
		case deleted:
			x.counts.deleted.Add(1)
		default:
			x.counts.deleted.Add(-1)
		}
		return err
	})
}

// markLabel marks the row of a label: that of the growing segment, if it has one, or else those of shards at a place.
func (x *Index) markLabel(label uint64, at *place, deleted bool) error {
	is, grown, err := x.inGrowing(label)
	switch {
	case err != nil:
		return err
	case grown:
		if err := hnsw.CheckMark(label, is, deleted); err != nil {
			return err
		}
		x.change.grown = true
		if deleted {
			return x.growing.graph.Delete(label)
		}
		return x.growing.graph.Undelete(label)
	case at == nil:
		return fmt.Errorf("%w: %d", hnsw.ErrLabel, label)
	}
	if err := hnsw.CheckMark(label, at.deleted, deleted); err != nil {
		return err
	}
	x.change.failed = x.markRows(at, deleted)
	return x.change.failed
}

// markRows marks the rows of shards at a place, whose marks can be changed: see ownMarks.
func (x *Index) markRows(at *place, deleted bool) error {
	x.change.marked, at.deleted = true, deleted
	for _, r := range at.rows {
		if err := x.parts[r.part].SetDeleted(r.id, deleted); err != nil {
			return x.ofPart(int(r.part), err)
		}
	}
	return nil
}

// ownMarks lets the marks of shards that have rows at the places be changed. Those of mapped shards come to memory.
func (x *Index) ownMarks(places map[uint64]*place) error {
	var wanted []*part
	for _, at := range places {
		for _, r := range at.rows {
			if p := x.parts[r.part]; !p.ownMarks && !slices.Contains(wanted, p) {
				wanted = append(wanted, p)
			}
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	x.using.Lock()
	defer x.using.Unlock()
	if x.closed.Load() {
		return hnsw.ErrClosed
	}
	for _, p := range wanted {
		if err := p.OwnMarks(); err != nil {
			return fmt.Errorf("read marks: %w", err)
		}
		p.ownMarks = true
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
