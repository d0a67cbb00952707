package collection

import (
	"cmp"
	"errors"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/cockroachdb/pebble/v2"

	"github.com/shale-search/shale/internal/postings"
)

// documentSet is the numbers of documents that are there: an eighth of a byte each at most. It never changes.
type documentSet struct{ chunks []documentChunk } // in order; none is empty

// documentChunk is the numbers of one chunk, less its first.
type documentChunk struct {
	chunk uint64
	set   *roaring.Bitmap
}

func chunkOf(n uint64) uint64 { return n >> postings.ChunkBits }

// inChunk returns the place of a number in its chunk.
func inChunk(n uint64) uint32 { return uint32(n & (1<<postings.ChunkBits - 1)) }

// find returns the place of a chunk, or where it would be.
func (d *documentSet) find(chunk uint64) (int, bool) {
	return slices.BinarySearchFunc(d.chunks, chunk, func(c documentChunk, chunk uint64) int {
		return cmp.Compare(c.chunk, chunk)
	})
}

// documentEdit is a change of a documentSet.
type documentEdit struct {
	before *documentSet
	chunks map[uint64]*chunkEdit
	gone   int // documents that were removed
}

type chunkEdit struct{ set, added, removed *roaring.Bitmap }

func newDocumentEdit(before *documentSet) *documentEdit {
	return &documentEdit{before: before, chunks: map[uint64]*chunkEdit{}}
}

func (e *documentEdit) chunk(n uint64) *chunkEdit {
	c := e.chunks[chunkOf(n)]
	if c == nil {
		c = &chunkEdit{roaring.New(), roaring.New(), roaring.New()}
		if at, ok := e.before.find(chunkOf(n)); ok {
			c.set = e.before.chunks[at].set.Clone()
		}
		e.chunks[chunkOf(n)] = c
	}
	return c
}

func (e *documentEdit) add(n uint64) {
	c := e.chunk(n)
	c.set.Add(inChunk(n))
	c.added.Add(inChunk(n))
}

func (e *documentEdit) remove(n uint64) {
	c := e.chunk(n)
	e.gone++
	c.set.Remove(inChunk(n))
	c.removed.Add(inChunk(n))
}

// after returns the set with the change.
func (e *documentEdit) after() *documentSet {
	if len(e.chunks) == 0 {
		return e.before
	}
	d := &documentSet{slices.Clone(e.before.chunks)}
	for chunk, c := range e.chunks {
		switch at, ok := d.find(chunk); {
		case c.set.IsEmpty() && ok:
			d.chunks = slices.Delete(d.chunks, at, at+1)
		case c.set.IsEmpty():
		case ok:
			d.chunks[at].set = c.set
		default:
			d.chunks = slices.Insert(d.chunks, at, documentChunk{chunk, c.set})
		}
	}
	return d
}

// record adds the change to a batch.
func (e *documentEdit) record(b *pebble.Batch) error {
	var errs []error
	for chunk, c := range e.chunks {
		errs = append(errs, b.Merge(keyOfNumber(thereKey, chunk), postings.EncodeEdit(c.added, c.removed), nil))
	}
	return errors.Join(errs...)
}

// readThere reads the set of documents.
func readThere(dir string, r pebble.Reader) (*documentSet, error) {
	d := &documentSet{}
	err := eachOf(r, thereKey, func(key, value []byte) error {
		chunk, ok := number(key, 1)
		set, err := postings.DecodeSet(value)
		if !ok || err != nil {
			return damaged(dir, key, "the set of documents is damaged")
		}
		if !set.IsEmpty() {
			d.chunks = append(d.chunks, documentChunk{chunk, set})
		}
		return nil
	})
	return d, err
}
