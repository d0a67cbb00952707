package collection

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/cockroachdb/pebble/v2"

	"github.com/shale-search/shale/internal/postings"
)

// PayloadIndexes returns the indexes that filters use. One that is being made isn't among them.
func (c *Collection) PayloadIndexes() ([]PayloadIndex, error) {
	r, err := c.read()
	if err != nil {
		return nil, err
	}
	var all []PayloadIndex
	for _, x := range r.indexes {
		if !x.Building {
			all = append(all, x.PayloadIndex)
		}
	}
	return all, r.end()
}

// CreatePayloadIndex makes an index of a field, of the documents that are there and of those to come, while others read
// and write. If there is such an index already it does nothing. If it is given up, or the process ends, another call
// with the same arguments goes on where it was, and DropPayloadIndex drops what there is of it.
func (c *Collection) CreatePayloadIndex(ctx context.Context, p PayloadIndex) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	p, _, err := p.parse()
	if err != nil {
		return invalidError{err}
	}
	c.indexing.Lock()
	defer c.indexing.Unlock()
	x, err := c.beginIndex(ctx, p)
	for err == nil && x.Building {
		x, err = c.extendIndex(ctx, x)
	}
	if err != nil {
		return fmt.Errorf("payload index of field %q: %w", p.Field, err)
	}
	return nil
}

// indexOf returns the index of a state.
func (s *state) indexOf(p PayloadIndex) *payloadIndex {
	at := slices.IndexFunc(s.indexes, func(x *payloadIndex) bool { return x.PayloadIndex == p })
	if at < 0 {
		return nil
	}
	return s.indexes[at]
}

// beginIndex returns the index, which it records unless there is one. From then on documents that are written go into
// it.
func (c *Collection) beginIndex(ctx context.Context, p PayloadIndex) (*payloadIndex, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if x := c.state.indexOf(p); x != nil {
		return x, nil
	}
	if n := len(c.state.indexes); n == mostIndexes {
		return nil, invalidf("there are %d payload indexes, which is the most that are allowed", n)
	}
	x, err := newIndex(c.state.index, indexRecord{PayloadIndex: p, Building: true, End: c.next})
	if err != nil {
		return nil, err
	}
	unsealed := c.state.views[c.state.unsealed():]
	for _, v := range unsealed {
		err = errors.Join(err, v.postings.fill(ctx, []*payloadIndex{x}, c.db, v.First, min(v.End, c.next)))
	}
	b := c.db.NewBatch()
	if err == nil {
		err = c.changeIndexes(b, append(slices.Clone(c.state.indexes), x), x)
	}
	if err != nil {
		for _, v := range unsealed {
			v.postings.forget(x.id)
		}
	}
	return x, errors.Join(err, b.Close())
}

// changeIndexes publishes other indexes, of which one may be new or different, with what the batch holds. The caller
// holds writing.
func (c *Collection) changeIndexes(b *pebble.Batch, indexes []*payloadIndex, changed *payloadIndex) error {
	after := c.state.counters
	after.indexes = indexes
	if changed != nil {
		after.index = max(after.index, changed.id+1)
		if err := changed.record(b); err != nil {
			return err
		}
	}
	if err := b.Set([]byte{countersKey}, after.encode(), nil); err != nil {
		return err
	}
	return c.publish(newState(after, c.state.views), func() error { return c.db.Apply(b, pebble.Sync) })
}

// mostBuilt is the number of postings in memory while an index is made.
const mostBuilt = 1 << 20

// extendIndex adds more documents, of one chunk, to an index, and returns the index as it is then.
func (c *Collection) extendIndex(ctx context.Context, x *payloadIndex) (*payloadIndex, error) {
	c.recording.Lock()
	defer c.recording.Unlock()
	c.writing.Lock()
	edits := c.edits
	c.writing.Unlock()
	block, done, err := c.readBlock(ctx, x)
	if err != nil {
		return x, err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.edits != edits { // the block may hold a payload that has changed
		if block, done, err = c.readBlock(ctx, x); err != nil {
			return x, err
		}
	}
	after := *x
	if after.Done = done; done == x.End {
		after.Building, after.Done, after.End = false, 0, 0
	}
	b := c.db.NewBatch()
	all := roaring.New()
	all.AddRange(0, 1<<postings.ChunkBits)
	if err = c.recordBlock(b, x, chunkOf(x.Done), block, all); err == nil {
		indexes := slices.Clone(c.state.indexes)
		indexes[slices.IndexFunc(indexes, func(y *payloadIndex) bool { return y.id == x.id })] = &after
		err = c.changeIndexes(b, indexes, &after)
	}
	return &after, errors.Join(err, b.Close())
}

// readBlock reads documents from x.Done on, as many as there are in the chunk or as fit in memory, and returns the
// number from which the next block has to read.
func (c *Collection) readBlock(ctx context.Context, x *payloadIndex) (b *postings.Block, done uint64, err error) {
	b = &postings.Block{}
	done = min((chunkOf(x.Done)+1)<<postings.ChunkBits, x.End)
	err = each(c.db, keyOfNumber(payloadKey, x.Done), keyOfNumber(payloadKey, done), func(key, value []byte) error {
		n, ok := number(key, 1)
		if !ok {
			return damaged(c.dir, key, "the number of the document is damaged")
		}
		b.Add(x.Index, uint16(inChunk(n)), value)
		if b.Size() >= mostBuilt {
			done = n + 1
			return errEnough
		}
		return ctx.Err()
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return b, done, err
}

// errEnough ends a walk over keys.
var errEnough = errors.New("enough")

// DropPayloadIndex removes an index, and reports whether there was one. Filters of the field read payloads then.
func (c *Collection) DropPayloadIndex(p PayloadIndex) (dropped bool, err error) {
	if err := c.enter(); err != nil {
		return false, err
	}
	defer c.leave()
	p, _, err = p.parse()
	if err != nil {
		return false, invalidError{err}
	}
	c.indexing.Lock()
	defer c.indexing.Unlock()
	c.recording.Lock()
	defer c.recording.Unlock()
	c.writing.Lock()
	defer c.writing.Unlock()
	x := c.state.indexOf(p)
	if x == nil {
		return false, nil
	}
	others := slices.DeleteFunc(slices.Clone(c.state.indexes), func(y *payloadIndex) bool { return y == x })
	b := c.db.NewBatch()
	err = errors.Join(b.Delete(keyOfNumber(indexKey, x.id), nil),
		b.DeleteRange(keyOfPosting(x.id, 0, ""), keyOfPosting(x.id+1, 0, ""), nil))
	if err == nil {
		err = c.changeIndexes(b, others, nil)
	}
	return err == nil, errors.Join(err, b.Close())
}
