package collection

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/cockroachdb/pebble/v2"
)

// change is one batch of the store, with what follows from it for the segments.
type change struct {
	c     *Collection
	batch *pebble.Batch
	counters
	dead map[int]*roaring64.Bitmap // by place of the view: sets that grow
	edit *documentEdit
}

func (c *Collection) newChange() *change {
	ch := &change{c: c, batch: c.db.NewBatch(), counters: c.state.counters, dead: map[int]*roaring64.Bitmap{}}
	ch.next, ch.edit = c.next, newDocumentEdit(ch.there)
	return ch
}

// Upsert writes a batch of documents: all, or after an error none. A document whose ID is there already replaces that
// one. When Upsert returns they are on the disk, and queries find them.
func (c *Collection) Upsert(ctx context.Context, batch []Document) error {
	documents, err := c.prepare(batch)
	if err != nil {
		return err
	}
	_, err = c.change(ctx, len(documents), func(ch *change) error { return ch.upsert(documents) })
	return err
}

// Delete deletes the documents with these IDs and returns how many there were: all, or after an error none. When it
// returns the change is on the disk.
func (c *Collection) Delete(ctx context.Context, ids ...ID) (int, error) {
	if len(ids) > c.options.MaxBatch {
		return 0, invalidf("%d documents are to be deleted at once, at most %d are allowed", len(ids), c.options.MaxBatch)
	}
	return c.change(ctx, len(ids), func(ch *change) error { return ch.delete(ids) })
}

// change makes one change, unless nothing is to be done. It returns by how much the number of documents fell.
func (c *Collection) change(ctx context.Context, size int, fill func(*change) error) (int, error) {
	if err := c.enter(); err != nil {
		return 0, err
	}
	defer c.leave()
	if err := ctx.Err(); err != nil || size == 0 {
		return 0, err
	}
	ch, before, err := c.apply(ctx, fill)
	if err != nil {
		return 0, err
	}
	// Others may write meanwhile: the store syncs the batches of all of them at once.
	if err := errors.Join(c.awaitSync(ch.batch), ch.batch.Close()); err != nil {
		return 0, err
	}
	return int(before) - int(ch.documents), nil
}

// apply makes a change without waiting for the disk.
func (c *Collection) apply(ctx context.Context, fill func(*change) error) (ch *change, before uint64, err error) {
	if err := c.lockToWrite(ctx); err != nil {
		return nil, 0, err
	}
	defer c.writing.Unlock()
	ch, before = c.newChange(), c.state.documents
	first := ch.next
	if err = fill(ch); err == nil {
		err = ch.commit()
	}
	c.next = ch.next
	if err != nil {
		c.bury(first, ch.next)
		return nil, 0, errors.Join(err, ch.batch.Close())
	}
	return ch, before, nil
}

// bury marks as dead the numbers of documents that may be in the growing segment but weren't written.
func (c *Collection) bury(first, end uint64) {
	if first == end {
		return
	}
	at := c.state.growing()
	v := c.state.views[at]
	v.dead = v.dead.Clone()
	v.dead.AddRange(first, end)
	_ = c.publish(newState(c.state.counters, c.state.with(at, v)), storesNothing)
}

// commit publishes the change.
func (ch *change) commit() error {
	ch.there = ch.edit.after()
	ch.c.noteRemoved(ch.edit.gone)
	if err := ch.edit.record(ch.batch); err != nil {
		return err
	}
	if err := ch.batch.Set([]byte{countersKey}, ch.counters.encode(), nil); err != nil {
		return err
	}
	views, worn := ch.c.state.views, false
	for at, dead := range ch.dead {
		views = newViews(views, at, dead)
		worn = worn || views[at].sealed && views[at].candidate().worn()
	}
	err := ch.c.publish(newState(ch.counters, views), func() error {
		return ch.c.applyChange(ch.batch)
	})
	if worn && err == nil {
		ch.c.merger.kick()
	}
	return err
}

// newViews returns views of which one has another set of dead rows.
func newViews(views []view, at int, dead *roaring64.Bitmap) []view {
	changed := append([]view(nil), views...)
	changed[at].dead = dead
	return changed
}

func (ch *change) upsert(documents []prepared) error {
	c := ch.c
	first := ch.next
	for i := range documents {
		runtime.Gosched() // searches go first: a batch may take longer than they
		d := &documents[i]
		if err := ch.kill(d.id); err != nil {
			return err
		}
		if err := ch.put(d); err != nil {
			return err
		}
	}
	grow := c.state.views[c.state.growing()]
	for i := range documents {
		for v, row := range documents[i].rows {
			if row == nil {
				continue
			}
			if err := grow.flats[v].append(first+uint64(i), row); err != nil {
				return fmt.Errorf("vector %q: %w", c.schema.Vectors[v].Name, err)
			}
		}
	}
	return nil
}

// put gives a document a number and writes its keys.
func (ch *change) put(d *prepared) error {
	n := ch.next
	ch.next++
	ch.documents++
	ch.edit.add(n)
	ch.c.state.views[ch.c.state.growing()].postings.add(ch.indexes, n, d.payload)
	b := ch.batch
	errs := []error{
		b.Set(keyOfID(d.id), binary.BigEndian.AppendUint64(nil, n), nil),
		b.Set(keyOfNumber(documentKey, n), d.documentRecord.encode(), nil),
	}
	if d.payload != nil {
		errs = append(errs, b.Set(keyOfNumber(payloadKey, n), d.payload, nil))
	}
	for v, row := range d.rows {
		if row != nil {
			errs = append(errs, b.Set(keyOfVector(v, n), encodeVector(row), nil))
		}
	}
	return errors.Join(errs...)
}

func (ch *change) delete(ids []ID) error {
	seen := make(map[ID]bool, len(ids))
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		if err := id.check(ch.c.options.MaxIDBytes); err != nil {
			continue // no document has it
		}
		if err := ch.kill(id); err != nil {
			return err
		}
		if err := ch.batch.Delete(keyOfID(id), nil); err != nil {
			return err
		}
	}
	return nil
}

// kill removes what the store holds of a document, except for the number of its ID, and marks its row as dead.
func (ch *change) kill(id ID) error {
	key := keyOfID(id)
	value, err := get(ch.c.db, key)
	if err != nil || value == nil {
		return err
	}
	n, ok := number(value, 0)
	at := ch.c.state.viewOf(n)
	if !ok || at < 0 || n >= ch.c.state.next {
		return damaged(ch.c.dir, key, "the number of the document is wrong")
	}
	v := ch.c.state.views[at]
	if ch.dead[at] == nil {
		ch.dead[at] = v.dead.Clone()
	}
	ch.dead[at].Add(n)
	ch.documents--
	ch.edit.remove(n)
	errs := []error{
		ch.batch.Delete(keyOfNumber(documentKey, n), nil), ch.batch.Delete(keyOfNumber(payloadKey, n), nil),
	}
	if v.sealed {
		return errors.Join(append(errs, ch.batch.Set(keyOfTombstone(v.number, n), nil, nil))...)
	}
	for i := range ch.c.schema.Vectors {
		errs = append(errs, ch.batch.Delete(keyOfVector(i, n), nil))
	}
	return errors.Join(errs...)
}
