package collection

import (
	"errors"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/cockroachdb/pebble/v2"

	"github.com/shale-search/shale/internal/payload"
	"github.com/shale-search/shale/internal/postings"
)

// chunkOfFilter is a chunk, or a part of it, as Evaluate sees it.
type chunkOfFilter struct {
	f     *filtering
	chunk uint64
	all   *roaring.Bitmap
	grow  *growingPostings // nil: the store has the postings
}

// All implements postings.Chunk.
func (c chunkOfFilter) All() *roaring.Bitmap { return c.all }

// IDs implements postings.Chunk.
func (c chunkOfFilter) IDs(n *payload.Node) (*roaring.Bitmap, error) {
	s := roaring.New()
	for _, number := range c.f.ids[n] {
		if chunkOf(number) == c.chunk && c.all.Contains(inChunk(number)) {
			s.Add(inChunk(number))
		}
	}
	return s, nil
}

// Find implements postings.Chunk.
func (c chunkOfFilter) Find(n *payload.Node) (postings.Postings, payload.Kind) {
	x := c.f.indexes[n]
	if x == nil {
		return nil, ""
	}
	if c.grow != nil {
		return c.grow.of(x, c.chunk), x.Kind
	}
	return storedPostings{c.f.c.dir, c.f.snapshot, x.id, c.chunk}, x.Kind
}

// storedPostings are those of one index and chunk in the store.
type storedPostings struct {
	dir   string
	r     pebble.Reader
	index uint64
	chunk uint64
}

// get is how package postings reads.
func (p storedPostings) get(term string, fn func(value []byte) error) error {
	key := keyOfPosting(p.index, p.chunk, term)
	value, closer, err := p.r.Get(key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return fn(nil)
	case err != nil:
		return err
	}
	err = fn(value)
	if errors.Is(err, postings.ErrDamaged) {
		err = damaged(p.dir, key, err.Error())
	}
	return errors.Join(err, closer.Close())
}

// Term implements postings.Postings.
func (p storedPostings) Term(term string) (s *roaring.Bitmap, err error) {
	err = p.get(term, func(value []byte) error {
		s, err = postings.DecodeSet(value)
		return err
	})
	return s, err
}

// Range implements postings.Postings.
func (p storedPostings) Range(b payload.Bounds) (*roaring.Bitmap, error) {
	return postings.Stored(p.get).Range(b)
}

// Any implements postings.Postings.
func (p storedPostings) Any(numbers []payload.Number) (*roaring.Bitmap, error) {
	return postings.Stored(p.get).Any(numbers)
}
