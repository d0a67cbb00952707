package collection

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/cockroachdb/pebble/v2"

	"github.com/shale-search/shale/internal/payload"
	"github.com/shale-search/shale/internal/postings"
)

// growingPostings are those of the documents of a segment in memory. Documents are added before a state says that they
// are there, and stay when they are deleted: what a reading finds it compares with the documents of its state.
type growingPostings struct {
	mu     sync.RWMutex
	blocks map[blockKey]*postings.Block
	size   int
}

type blockKey struct{ chunk, index uint64 }

func newGrowingPostings() *growingPostings {
	return &growingPostings{blocks: map[blockKey]*postings.Block{}}
}

// mostGrowing is the number of postings in memory from which on the segment is sealed.
const mostGrowing = 4 << 20

// isLarge reports whether the segment should be sealed.
func (g *growingPostings) isLarge() bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.size >= mostGrowing
}

// add adds the payload of a document, whose number is above those of the documents before.
func (g *growingPostings) add(indexes []*payloadIndex, n uint64, doc []byte) {
	if len(indexes) == 0 || len(doc) == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, x := range indexes {
		key := blockKey{chunkOf(n), x.id}
		b := g.blocks[key]
		if b == nil {
			b = &postings.Block{}
			g.blocks[key] = b
		}
		before := b.Size()
		b.Add(x.Index, uint16(inChunk(n)), doc)
		g.size += b.Size() - before
	}
}

// of returns the postings of one index and chunk.
func (g *growingPostings) of(x *payloadIndex, chunk uint64) postings.Postings {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return lockedBlock{&g.mu, g.blocks[blockKey{chunk, x.id}]}
}

// lockedBlock is a block that may grow meanwhile, or nil for an empty one.
type lockedBlock struct {
	mu    *sync.RWMutex
	block *postings.Block
}

func (b lockedBlock) read(fn func(*postings.Block) (*roaring.Bitmap, error)) (*roaring.Bitmap, error) {
	if b.block == nil {
		return roaring.New(), nil
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	return fn(b.block)
}

// Term implements postings.Postings.
func (b lockedBlock) Term(term string) (*roaring.Bitmap, error) {
	return b.read(func(b *postings.Block) (*roaring.Bitmap, error) { return b.Term(term) })
}

// Range implements postings.Postings.
func (b lockedBlock) Range(bounds payload.Bounds) (*roaring.Bitmap, error) {
	return b.read(func(b *postings.Block) (*roaring.Bitmap, error) { return b.Range(bounds) })
}

// Any implements postings.Postings.
func (b lockedBlock) Any(numbers []payload.Number) (*roaring.Bitmap, error) {
	return b.read(func(b *postings.Block) (*roaring.Bitmap, error) { return b.Any(numbers) })
}

// record adds the postings of the documents that are there to a batch, which is how they come to the store.
func (g *growingPostings) record(c *Collection, b *pebble.Batch, there *documentSet, indexes []*payloadIndex) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for key, block := range g.blocks {
		at, ok := there.find(key.chunk)
		i := slices.IndexFunc(indexes, func(x *payloadIndex) bool { return x.id == key.index })
		if !ok || i < 0 {
			continue
		}
		if err := c.recordBlock(b, indexes[i], key.chunk, block, there.chunks[at].set); err != nil {
			return err
		}
	}
	return nil
}

// recordBlock adds the postings of the documents in keep to a batch. The caller holds recording.
func (c *Collection) recordBlock(b *pebble.Batch, x *payloadIndex, chunk uint64, block *postings.Block,
	keep *roaring.Bitmap) error {
	err := block.Each(keep, func(term string, value []byte) error {
		return b.Merge(keyOfPosting(x.id, chunk, term), value, nil)
	})
	values := block.Values(keep)
	if err != nil || len(values) == 0 {
		return err
	}
	stored := postings.Stored(storedPostings{c.dir, c.db, x.id, chunk}.get)
	runs, err := stored.Runs()
	if err != nil {
		return err
	}
	if len(runs) >= postings.MostRuns {
		old, err := stored.RunValues(runs)
		if err != nil {
			return err
		}
		return recordRuns(b, x, chunk, nil, append(old, values...))
	}
	return recordRuns(b, x, chunk, runs, values)
}

// recordRuns adds a run to some, or puts one in the place of all runs if these are none.
func recordRuns(b *pebble.Batch, x *payloadIndex, chunk uint64, runs []postings.Run, values []postings.Value) error {
	var errs []error
	if len(runs) == 0 {
		errs = append(errs, b.DeleteRange(keyOfPosting(x.id, chunk, postings.DirectoryTerm),
			keyOfPosting(x.id, chunk, postings.GroupsEnd), nil))
	}
	r, groups := postings.NewRun(uint16(len(runs)), values)
	for i, group := range groups {
		errs = append(errs, b.Set(keyOfPosting(x.id, chunk, postings.GroupTerm(r.ID, i)), group, nil))
	}
	directory := postings.EncodeDirectory(append(runs, r))
	return errors.Join(append(errs, b.Set(keyOfPosting(x.id, chunk, postings.DirectoryTerm), directory, nil))...)
}

// each calls fn with every term of an index and chunk, and its value as the store would hold it, of the documents in
// keep. It returns their numbers.
func (g *growingPostings) each(x *payloadIndex, chunk uint64, keep *roaring.Bitmap,
	fn func(term string, value []byte) error) ([]postings.Value, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	b := g.blocks[blockKey{chunk, x.id}]
	if b == nil {
		return nil, nil
	}
	return b.Values(keep), b.Each(keep, fn)
}

// forget drops the postings of an index.
func (g *growingPostings) forget(index uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for key, block := range g.blocks {
		if key.index == index {
			g.size -= block.Size()
			delete(g.blocks, key)
		}
	}
}

// fill adds the documents of the store from number first to the one before end.
func (g *growingPostings) fill(ctx context.Context, indexes []*payloadIndex, r pebble.Reader, first, end uint64) error {
	if len(indexes) == 0 {
		return nil
	}
	return each(r, keyOfNumber(payloadKey, first), keyOfNumber(payloadKey, end), func(key, value []byte) error {
		n, _ := number(key, 1)
		g.add(indexes, n, value)
		return ctx.Err()
	})
}

// storePostings writes the postings of a frozen segment to the store. Until the segment is sealed they aren't read; if
// the process ends before that they are written again.
func (c *Collection) storePostings(v view) error {
	c.recording.Lock()
	defer c.recording.Unlock()
	s := c.pin()
	defer func() { _ = s.release() }() // memory that can't be given back isn't the caller's affair
	b := c.db.NewBatch()
	err := v.postings.record(c, b, s.there, s.indexes)
	if err == nil {
		err = c.db.Apply(b, pebble.NoSync) // the batch that seals the segment comes after it in the log, and is synced
	}
	return errors.Join(err, b.Close())
}
