package collection

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/cockroachdb/pebble/v2"

	"github.com/shale-search/shale/internal/postings"
)

// Deletions leave postings as they are. Those of a chunk are written again when half of the documents that they are
// about are gone, and dropped when all are. So there are at most about twice as many as documents need.

const (
	cleanAfter  = 1 << 14 // deletions or changes of payloads after which the cleaner looks for work
	mostChanges = 1 << 12 // changes of payloads of a chunk that lie beside its runs of numbers
	cleanKeys   = 1 << 11 // of which the cleaner looks at the values while no change can be made
)

// cleaning counts what leaves work for the cleaner. Changes are made while writing is held.
type cleaning struct {
	worker  worker
	removed int            // documents that were deleted since the cleaner was kicked
	changed map[uint64]int // by chunk: payloads that were changed since its numbers were written
}

// noteRemoved counts documents that were deleted. The caller holds writing.
func (c *Collection) noteRemoved(n int) {
	if c.cleaning.removed += n; c.cleaning.removed >= cleanAfter {
		c.cleaning.removed = 0
		c.cleaning.worker.kick()
	}
}

// noteChanged counts a payload that was changed in the store. The caller holds writing.
func (c *Collection) noteChanged(chunk uint64) {
	if c.cleaning.changed == nil {
		c.cleaning.changed = map[uint64]int{}
	}
	if c.cleaning.changed[chunk]++; c.cleaning.changed[chunk] == mostChanges {
		c.cleaning.worker.kick()
	}
}

// cleanSome is the work of the cleaner: it cleans one chunk, if one needs it.
func (c *Collection) cleanSome(ctx context.Context) (more bool, err error) {
	if !c.indexing.TryLock() {
		return false, nil // an index is being made or dropped
	}
	defer c.indexing.Unlock()
	chunks, err := c.postedChunks()
	for _, chunk := range chunks {
		if done, err := c.cleanIfNeeded(ctx, chunk); done || err != nil {
			return done, err
		}
	}
	return false, err
}

// cleanAll drops the postings of all documents that are gone.
func (c *Collection) cleanAll(ctx context.Context) error {
	c.indexing.Lock()
	defer c.indexing.Unlock()
	chunks, err := c.postedChunks()
	for _, chunk := range chunks {
		if _, some := c.pinned().there.find(chunk); !some {
			err = c.dropChunk(chunk)
		} else {
			err = c.rewriteChunk(ctx, chunk)
		}
		if err != nil {
			break
		}
	}
	return err
}

// postedChunks returns the chunks that may have postings, none if there are no indexes.
func (c *Collection) postedChunks() (chunks []uint64, err error) {
	if len(c.pinned().indexes) == 0 {
		return nil, nil
	}
	err = eachOf(c.db, thereKey, func(key, _ []byte) error {
		chunk, ok := number(key, 1)
		if !ok {
			return damaged(c.dir, key, "the set of documents is damaged")
		}
		chunks = append(chunks, chunk)
		return nil
	})
	return chunks, err
}

// cleanIfNeeded cleans a chunk of which no segment in memory has a document, if half of its documents are gone or many
// have another payload.
func (c *Collection) cleanIfNeeded(ctx context.Context, chunk uint64) (done bool, err error) {
	s := c.pinned()
	if !s.covers(chunk) {
		return false, nil
	}
	at, some := s.there.find(chunk)
	if !some {
		return true, c.dropChunk(chunk)
	}
	held := uint64(1 << postings.ChunkBits)
	value, err := get(c.db, keyOfNumber(cleanedKey, chunk))
	if err != nil {
		return false, err
	}
	if len(value) == 4 {
		held = uint64(binary.BigEndian.Uint32(value))
	}
	c.writing.Lock()
	changed := c.cleaning.changed[chunk] >= mostChanges
	c.writing.Unlock()
	if changed || 2*s.there.chunks[at].set.GetCardinality() <= held {
		return true, c.rewriteChunk(ctx, chunk)
	}
	return false, nil
}

// covers reports whether sealed segments cover all numbers of a chunk.
func (s *state) covers(chunk uint64) bool { return (chunk+1)<<postings.ChunkBits <= s.first }

// dropChunk drops all postings of a chunk without documents.
func (c *Collection) dropChunk(chunk uint64) error {
	c.recording.Lock()
	defer c.recording.Unlock()
	c.writing.Lock()
	defer c.writing.Unlock()
	b := c.db.NewBatch()
	errs := []error{b.Delete(keyOfNumber(cleanedKey, chunk), nil)}
	if _, some := c.state.there.find(chunk); !some {
		errs = append(errs, b.Delete(keyOfNumber(thereKey, chunk), nil))
		for _, x := range c.state.indexes {
			errs = append(errs, b.DeleteRange(keyOfPosting(x.id, chunk, ""), keyOfPosting(x.id, chunk+1, ""), nil))
		}
	}
	errs = append(errs, c.db.Apply(b, pebble.NoSync))
	return errors.Join(append(errs, b.Close())...)
}

// rewriteChunk writes the postings of a chunk again without documents that are gone, a few at a time. Wherever it is
// given up the postings are right.
func (c *Collection) rewriteChunk(ctx context.Context, chunk uint64) error {
	c.recording.Lock()
	defer c.recording.Unlock()
	there := uint64(0)
	for _, x := range c.pinned().indexes {
		for key := keyOfPosting(x.id, chunk, ""); key != nil; {
			if err := ctx.Err(); err != nil {
				return err
			}
			var err error
			if key, there, err = c.rewriteTerms(x, chunk, key); err != nil {
				return err
			}
		}
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	delete(c.cleaning.changed, chunk)
	if !c.state.covers(chunk) {
		return nil // more documents will come
	}
	return c.db.Set(keyOfNumber(cleanedKey, chunk), binary.BigEndian.AppendUint32(nil, uint32(there)), pebble.NoSync)
}

// pinned returns the state, of which the caller uses no segments.
func (c *Collection) pinned() *state {
	c.publishing.RLock()
	defer c.publishing.RUnlock()
	return c.state
}

// rewriteTerms writes some values again, from a key on. It returns the key that comes next, nil after the last, and how
// many documents there are.
func (c *Collection) rewriteTerms(x *payloadIndex, chunk uint64, from []byte) (next []byte, there uint64, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	set := roaring.New()
	if at, ok := c.state.there.find(chunk); ok {
		set = c.state.there.chunks[at].set
	}
	b := c.db.NewBatch()
	left, numbers := cleanKeys, false
	err = each(c.db, from, keyOfPosting(x.id, chunk+1, ""), func(key, value []byte) error {
		term := string(key[postingHead:])
		if term >= postings.NumbersTerm && term < postings.GroupsEnd {
			numbers = true
			return nil
		}
		if left--; left < 0 {
			next = bytes.Clone(key)
			return errEnough
		}
		return rewriteSet(b, key, value, set)
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	if err == nil && numbers {
		err = c.rewriteNumbers(b, x, chunk, set)
	}
	if err == nil {
		err = c.db.Apply(b, pebble.NoSync)
	}
	return next, set.GetCardinality(), errors.Join(err, b.Close())
}

// rewriteSet removes documents from a set that aren't there.
func rewriteSet(b *pebble.Batch, key, value []byte, there *roaring.Bitmap) error {
	s, err := postings.DecodeSet(value)
	if err != nil {
		return err
	}
	before := s.GetCardinality()
	s.And(there)
	switch s.GetCardinality() {
	case before:
		return nil
	case 0:
		return b.Delete(key, nil)
	}
	return b.Set(key, postings.EncodeSet(s), nil)
}

// rewriteNumbers makes one run of the numbers of the documents that are there.
func (c *Collection) rewriteNumbers(b *pebble.Batch, x *payloadIndex, chunk uint64, there *roaring.Bitmap) error {
	values, err := postings.Stored(storedPostings{c.dir, c.db, x.id, chunk}.get).Values()
	if err != nil {
		return err
	}
	values = slices.DeleteFunc(values, func(v postings.Value) bool { return !there.Contains(uint32(v.Document)) })
	if err := b.Delete(keyOfPosting(x.id, chunk, postings.NumbersTerm), nil); err != nil {
		return err
	}
	return recordRuns(b, x, chunk, nil, values)
}
