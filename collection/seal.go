package collection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/cockroachdb/pebble/v2"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/internal/vfs"
)

// mostFrozen is how many full segments in memory may wait for being written to files. Then changes wait, too.
const mostFrozen = 1

// Seal writes the segments in memory to files and waits until that is done. It happens by itself, in the background, as
// often as Options.SegmentRows documents were written.
func (c *Collection) Seal(ctx context.Context) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	c.writing.Lock()
	end := c.next
	c.freeze()
	c.writing.Unlock()
	return c.waitSealed(ctx, end)
}

// waitSealed waits until all documents of smaller numbers than end are in files.
func (c *Collection) waitSealed(ctx context.Context, end uint64) error {
	for {
		ended := c.sealer.next()
		if c.sealedTo(end) {
			return nil
		}
		if err := c.sealer.wait(ctx, ended); err != nil {
			return err
		}
	}
}

// sealedTo reports whether all documents of smaller numbers than end are in files.
func (c *Collection) sealedTo(end uint64) bool {
	s := c.pin()
	defer func() { _ = s.release() }() // memory that can't be given back isn't the caller's affair
	return s.first >= end
}

// lockToWrite locks writing once the growing segment has room. Where sealing or merging lags behind it waits.
func (c *Collection) lockToWrite(ctx context.Context) error {
	for paused := false; ; {
		sealed, merged := c.sealer.next(), c.merger.next()
		c.writing.Lock()
		at := c.state.growing()
		v := c.state.views[at]
		if c.next-v.First < uint64(c.options.SegmentRows) && !v.postings.isLarge() {
			return nil
		}
		full := at-c.state.unsealed() >= mostFrozen
		if !full && (paused || c.options.DeferMerges || !c.state.lagsBehind(c.options.SegmentRows)) {
			c.freeze()
			return nil
		}
		c.writing.Unlock()
		if full {
			if err := c.sealer.wait(ctx, sealed); err != nil {
				return fmt.Errorf("the segments in memory are full: %w", err)
			}
			continue
		}
		if err := c.pause(ctx, merged); err != nil {
			return err
		}
		paused = true
	}
}

// pause waits until a merge has ended, for some time at most: then writing goes on all the same, at a rate that this
// bounds.
func (c *Collection) pause(ctx context.Context, merged <-chan struct{}) error {
	c.merger.kick()
	enough := time.NewTimer(c.longestPause)
	defer enough.Stop()
	select {
	case <-merged:
	case <-enough.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// freeze puts an empty segment in the place of the growing one, which the sealer takes over. The caller holds writing.
func (c *Collection) freeze() {
	at := c.state.growing()
	v := c.state.views[at]
	if c.next == v.First {
		return
	}
	v.End = c.next
	views := append(c.state.with(at, v), grown(growSegment(c.schema, c.next)))
	_ = c.publish(newState(c.state.counters, views), storesNothing)
	c.sealer.kick()
}

// sealOldest makes files of the oldest frozen segment. Until the batch is committed the store holds its vectors and
// the files are orphans; from then on the files hold them.
func (c *Collection) sealOldest(ctx context.Context) (more bool, err error) {
	s := c.pin()
	defer func() { err = errors.Join(err, s.release()) }()
	v := s.views[s.unsealed()]
	if v.grows() {
		return false, nil
	}
	number := c.numbers.Add(1) - 1
	if err := c.sealAs(ctx, v, number); err != nil {
		return false, fmt.Errorf("write segment %d: %w", number, err)
	}
	return true, nil
}

func (c *Collection) sealAs(ctx context.Context, v view, number uint64) error {
	record, err := c.writeSegment(ctx, v, number)
	if err == nil {
		err = c.storePostings(v)
	}
	if err != nil {
		return errors.Join(err, c.removeSegment(number))
	}
	return c.install(ctx, replacement{from: []view{v}, number: number, record: record})
}

// writeSegment builds the indexes of a frozen segment, of the rows that aren't dead.
func (c *Collection) writeSegment(ctx context.Context, v view, number uint64) (segmentRecord, error) {
	r := segmentRecord{First: v.First, End: v.End, Rows: make([]int, len(v.flats))}
	for i, f := range v.flats {
		rows := f.source(v.End, v.dead)
		if r.Rows[i] = rows.Rows(); r.Rows[i] == 0 {
			continue
		}
		o := c.schema.Vectors[i].buildOptions()
		o.EfConstruction = min(cmp.Or(o.EfConstruction, sealEf), sealEf)
		if err := c.buildIndex(ctx, rows, rows.numbers, i, number, o); err != nil {
			return r, err
		}
	}
	return r, nil
}

// buildIndex builds the index of one vector of a segment's documents.
func (c *Collection) buildIndex(ctx context.Context, rows shale.Source, labels []uint64, vector int, number uint64,
	o shale.BuildOptions) error {
	o.Path, o.Labels, o.Threads = segmentPath(c.dir, number, vector), labels, c.options.MergeThreads
	if c.options.shards > 0 {
		o.Shards = min(c.options.shards, rows.Rows())
	}
	x, err := shale.Build(ctx, rows, o)
	if err != nil {
		return err
	}
	return x.Close()
}

// removeSegment removes the files of a segment.
func (c *Collection) removeSegment(number uint64) error {
	var errs []error
	for i := range c.schema.Vectors {
		path := segmentPath(c.dir, number, i)
		errs = append(errs, vfs.RemoveAll(path), vfs.RemoveAll(shard.BuildDir(path)))
	}
	return errors.Join(errs...)
}

// hasRows reports whether a segment has files.
func (r segmentRecord) hasRows() bool {
	return slices.ContainsFunc(r.Rows, func(n int) bool { return n > 0 })
}

// replacement says that files take the place of segments that follow each other.
type replacement struct {
	from   []view // as they were when the files were begun
	number uint64
	record segmentRecord
	sealed *segment // the files; nil: no rows are left
}

// install opens the files of a replacement and publishes it. Rows that died since it was begun are dead in the files.
func (c *Collection) install(ctx context.Context, r replacement) (err error) {
	if r.record.hasRows() {
		if r.sealed, err = openSegment(ctx, c.dir, c.schema, r.number, r.record, c.options.apart()); err != nil {
			return errors.Join(err, c.removeSegment(r.number))
		}
	}
	batch, err := c.publishReplacement(r)
	if err != nil {
		// The files stay: whether the store names them isn't known, and Open removes orphans.
		if r.sealed != nil {
			err = errors.Join(err, r.sealed.close())
		}
		return errors.Join(err, batch.Close())
	}
	c.merger.kick()
	c.pinning.worker.kick()
	return errors.Join(batch.SyncWait(), batch.Close())
}

// publishReplacement publishes a replacement without waiting for the disk.
func (c *Collection) publishReplacement(r replacement) (*pebble.Batch, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	at := c.state.place(r.from[0].segment)
	now := c.state.views[at : at+len(r.from)]
	dead := noneDead()
	for i, v := range now {
		died := v.dead.Clone()
		died.AndNot(r.from[i].dead)
		dead.Or(died)
	}
	after := c.state.counters
	after.next, after.segment = c.next, max(after.segment, r.number+1)
	views := slices.Clone(c.state.views[:at])
	if r.sealed != nil {
		views = append(views, view{r.sealed, r.record.End, dead})
	}
	views = append(views, c.state.views[at+len(now):]...)
	after.first = views[slices.IndexFunc(views, func(v view) bool { return !v.sealed })].First

	batch := c.db.NewBatch()
	if err := c.recordReplacement(batch, r, dead, after); err != nil {
		return batch, err
	}
	return batch, c.publish(newState(after, views), func() error { return c.db.ApplyNoSyncWait(batch, pebble.Sync) })
}

// recordReplacement fills the batch by which the files take the place of what the store has.
func (c *Collection) recordReplacement(b *pebble.Batch, r replacement, dead *roaring64.Bitmap, after counters) error {
	errs := []error{b.Set([]byte{countersKey}, after.encode(), nil)}
	if r.from[0].sealed {
		errs = append(errs, b.Delete([]byte{mergeKey}, nil))
	}
	for _, v := range r.from {
		if v.sealed {
			errs = append(errs, b.Delete(keyOfNumber(segmentKey, v.number), nil),
				b.DeleteRange(keyOfTombstone(v.number, v.First), keyOfTombstone(v.number, v.End), nil))
			continue
		}
		for i := range c.schema.Vectors {
			errs = append(errs, b.DeleteRange(keyOfVector(i, v.First), keyOfVector(i, v.End), nil))
		}
	}
	if r.sealed == nil {
		return errors.Join(errs...)
	}
	record, err := r.record.encode()
	errs = append(errs, err, b.Set(keyOfNumber(segmentKey, r.number), record, nil))
	for i := dead.Iterator(); i.HasNext(); {
		errs = append(errs, b.Set(keyOfTombstone(r.number, i.Next()), nil, nil))
	}
	return errors.Join(errs...)
}
