package collection

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/vfs"
)

// Seal writes the growing segment to files, which happens by itself when it has Options.SegmentRows documents.
func (c *Collection) Seal(ctx context.Context) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.seal(ctx)
}

func (c *Collection) sealIfFull(ctx context.Context) error {
	if grow := c.state.views[c.state.growing()]; c.next-grow.First < uint64(c.options.SegmentRows) {
		return nil
	}
	return c.seal(ctx)
}

// seal makes files of the growing segment and puts an empty one in its place. Until the batch is committed the store
// holds its vectors and the files are orphans; from then on the files hold them.
func (c *Collection) seal(ctx context.Context) error {
	grow := c.state.views[c.state.growing()]
	if c.next == grow.First {
		return nil
	}
	record, err := c.writeSegment(ctx, grow)
	if err != nil {
		return fmt.Errorf("seal segment %d: %w", grow.number, errors.Join(err, removeSegment(c.dir, grow)))
	}
	views, err := c.sealedViews(ctx, grow, record)
	if err != nil {
		return fmt.Errorf("seal segment %d: %w", grow.number, errors.Join(err, removeSegment(c.dir, grow)))
	}
	return c.publishSeal(grow, record, views)
}

// publishSeal puts views, which sealedViews has made, in the place of those that there are.
func (c *Collection) publishSeal(grow view, r segmentRecord, views []view) error {
	after := c.state.counters
	after.next, after.first, after.segment = c.next, c.next, grow.number+1
	batch := c.db.NewBatch()
	err := c.recordSeal(batch, grow, r, after)
	if err == nil {
		err = c.publish(newState(after, views), func() error { return c.db.Apply(batch, pebble.Sync) })
	}
	if err == nil {
		return batch.Close()
	}
	// The files stay: whether the store names them isn't known, and Open removes orphans.
	errs := []error{err, batch.Close()}
	for _, v := range views[c.state.growing():] {
		errs = append(errs, v.close())
	}
	return errors.Join(errs...)
}

// writeSegment saves the indexes of a segment. If all of its rows are dead it writes nothing.
func (c *Collection) writeSegment(ctx context.Context, grow view) (segmentRecord, error) {
	r := segmentRecord{First: grow.First, End: c.next, Rows: make([]int, len(grow.indexes))}
	if grow.dead.GetCardinality() == r.End-r.First {
		return r, nil
	}
	for i, x := range grow.indexes {
		if r.Rows[i] = x.Len(); r.Rows[i] == 0 {
			continue
		}
		err := x.Save(ctx, segmentPath(c.dir, grow.number, i), shale.SaveOptions{Format: shale.Directory, Replace: true})
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// removeSegment removes the files of a segment that isn't sealed.
func removeSegment(dir string, grow view) error {
	var errs []error
	for i := range grow.indexes {
		errs = append(errs, vfs.RemoveAll(segmentPath(dir, grow.number, i)))
	}
	return errors.Join(errs...)
}

// hasRows reports whether a segment has files.
func (r segmentRecord) hasRows() bool {
	for _, n := range r.Rows {
		if n > 0 {
			return true
		}
	}
	return false
}

// sealedViews returns the views in which files and an empty segment take the place of the growing one.
func (c *Collection) sealedViews(ctx context.Context, grow view, r segmentRecord) ([]view, error) {
	views := append([]view(nil), c.state.views[:c.state.growing()]...)
	empty, err := growSegment(c.schema, grow.number+1, r.End)
	if err != nil || !r.hasRows() {
		return append(views, view{empty, noneDead()}), err
	}
	sealed, err := openSegment(ctx, c.dir, c.schema, grow.number, r)
	if err != nil {
		return nil, errors.Join(err, empty.close())
	}
	return append(views, view{sealed, grow.dead}, view{empty, noneDead()}), nil
}

// recordSeal fills the batch by which the files take the place of the vectors in the store.
func (c *Collection) recordSeal(b *pebble.Batch, grow view, r segmentRecord, after counters) error {
	errs := []error{b.Set([]byte{countersKey}, after.encode(), nil)}
	for i := range c.schema.Vectors {
		errs = append(errs, b.DeleteRange(keyOfVector(i, r.First), keyOfVector(i, r.End), nil))
	}
	if !r.hasRows() {
		return errors.Join(errs...)
	}
	record, err := r.encode()
	errs = append(errs, err, b.Set(keyOfNumber(segmentKey, grow.number), record, nil))
	for dead := grow.dead.Iterator(); dead.HasNext(); {
		errs = append(errs, b.Set(keyOfTombstone(grow.number, r.First+uint64(dead.Next())), nil, nil))
	}
	return errors.Join(errs...)
}
