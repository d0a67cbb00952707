package collection

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/cockroachdb/pebble/v2"

	"github.com/shale-search/shale/internal/labelset"
	"github.com/shale-search/shale/internal/payload"
	"github.com/shale-search/shale/internal/postings"
	"github.com/shale-search/shale/internal/workers"
)

// filtering is what is known of a filter in one reading: by indexes first, then by payloads.
type filtering struct {
	*reading
	matcher *payload.Matcher
	indexes map[*payload.Node]*payloadIndex // that answer the tests of the filter
	ids     map[*payload.Node][]uint64      // numbers of the documents that it names
	scanned []string                        // fields whose tests no index answers, so that payloads are read
	parts   []filteredChunk                 // in order; none is empty
}

// filteredChunk is the documents of a chunk that satisfy a filter, and those that may.
type filteredChunk struct {
	chunk uint64
	postings.Answer
}

// filter finds out what indexes know about a filter.
func (r *reading) filter(ctx context.Context, filter Filter) (*filtering, error) {
	m, err := payload.Compile(filter.tree)
	if err != nil {
		return nil, invalidError{err}
	}
	f := &filtering{
		reading: r, matcher: m, indexes: map[*payload.Node]*payloadIndex{}, ids: map[*payload.Node][]uint64{},
	}
	if err := f.plan(m.Root()); err != nil {
		return nil, err
	}
	return f, f.answerAll(ctx)
}

// chunksAtOnce is how many chunks a goroutine answers at least.
const chunksAtOnce = 16

// answerAll asks the indexes about all chunks.
func (f *filtering) answerAll(ctx context.Context) error {
	chunks := f.there.chunks
	parts, errs := make([]filteredChunk, len(chunks)), make([]error, len(chunks))
	var next atomic.Int64
	threads := workers.Threads(0, (len(chunks)+chunksAtOnce-1)/chunksAtOnce)
	workers.Run(threads, chunks, func(chunks []documentChunk) {
		for i := next.Add(1) - 1; i < int64(len(chunks)); i = next.Add(1) - 1 {
			if errs[i] = ctx.Err(); errs[i] == nil {
				parts[i], errs[i] = f.answer(chunks[i])
			}
			if errs[i] != nil {
				return
			}
		}
	})
	f.parts = slices.DeleteFunc(parts, func(p filteredChunk) bool { return p.Maybe == nil || p.Maybe.IsEmpty() })
	return errors.Join(errs...)
}

// plan finds the indexes and documents that the nodes of a filter ask for.
func (f *filtering) plan(n *payload.Node) error {
	switch n.Op {
	case payload.And, payload.Or, payload.Not, payload.AtLeast:
		for _, child := range n.Nodes {
			if err := f.plan(child); err != nil {
				return err
			}
		}
		return nil
	case payload.IDs:
		return f.findIDs(n)
	}
	test := n
	if n.Op == payload.Except {
		test = n.Except
	}
	at := slices.IndexFunc(f.reading.indexes, func(x *payloadIndex) bool {
		return !x.Building && x.Kind.Covers(test) && x.Field == test.Path.String()
	})
	if at >= 0 {
		f.indexes[test] = f.reading.indexes[at]
	} else if field := n.Path.String(); !slices.Contains(f.scanned, field) {
		f.scanned = append(f.scanned, field)
	}
	return nil
}

func (f *filtering) findIDs(n *payload.Node) error {
	f.ids[n] = nil // also if there is none of them: holds asks for IDs then
	for id := range n.IDs {
		value, err := get(f.snapshot, keyOfID(idInPayload(id)))
		if err != nil {
			return err
		}
		if number, ok := number(value, 0); ok {
			f.ids[n] = append(f.ids[n], number)
		}
	}
	return nil
}

// answer asks the indexes about one chunk: those in memory about the documents of segments in memory, the store about
// others.
func (f *filtering) answer(d documentChunk) (filteredChunk, error) {
	part := filteredChunk{chunk: d.chunk}
	ask := func(all *roaring.Bitmap, g *growingPostings) error {
		if all.IsEmpty() {
			return nil
		}
		a, err := postings.Evaluate(f.matcher.Root(), chunkOfFilter{f, d.chunk, all, g})
		if err == nil && part.Maybe != nil {
			a = part.Or(a)
		}
		part.Answer = a
		return err
	}
	sealed := d.set
	for _, v := range f.views[f.unsealed():] {
		some := within(d, v.First, v.End)
		if some.IsEmpty() {
			continue
		}
		sealed = roaring.AndNot(sealed, some)
		if err := ask(some, v.postings); err != nil {
			return part, err
		}
	}
	return part, ask(sealed, nil)
}

// within returns the documents of a chunk with numbers from first to the one before end. It may be the chunk's own set.
func within(d documentChunk, first, end uint64) *roaring.Bitmap {
	from, to := d.chunk<<postings.ChunkBits, (d.chunk+1)<<postings.ChunkBits
	if first <= from && to <= end {
		return d.set
	}
	if end <= from || to <= first {
		return roaring.New()
	}
	some := d.set.Clone()
	if first > from {
		some.RemoveRange(0, first-from)
	}
	if end < to {
		some.RemoveRange(end-from, to-from)
	}
	return some
}

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

// undecided returns how many documents may satisfy the filter whose payloads would have to be read.
func (f *filtering) undecided() (n uint64) {
	for _, p := range f.parts {
		if !p.IsExact() {
			n += p.Maybe.GetCardinality() - p.Sure.GetCardinality()
		}
	}
	return n
}

// answerOf returns whether a document surely satisfies the filter, and whether it may.
func (f *filtering) answerOf(n uint64) (sure, maybe bool) {
	at, ok := f.find(chunkOf(n))
	if !ok {
		return false, false
	}
	p := f.parts[at]
	return p.Sure.Contains(inChunk(n)), p.Maybe.Contains(inChunk(n))
}

// find returns the place of a chunk among the parts, or where it would be.
func (f *filtering) find(chunk uint64) (int, bool) {
	return slices.BinarySearchFunc(f.parts, chunk, func(p filteredChunk, chunk uint64) int {
		return cmp.Compare(p.chunk, chunk)
	})
}

// count returns how many documents surely satisfy the filter.
func (f *filtering) count() (n uint64) {
	for _, p := range f.parts {
		n += p.Sure.GetCardinality()
	}
	return n
}

// settle reads the payloads of the documents that may satisfy the filter, so that none is left about which it isn't
// known.
func (f *filtering) settle(ctx context.Context) (err error) {
	if f.undecided() == 0 {
		return nil
	}
	scan, err := f.scanPayloads()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, scan.close()) }()
	for i, p := range f.parts {
		for rest := roaring.AndNot(p.Maybe, p.Sure).Iterator(); rest.HasNext(); {
			if err := ctx.Err(); err != nil {
				return err
			}
			at := rest.Next()
			n := p.chunk<<postings.ChunkBits | uint64(at)
			doc, err := scan.payload(n)
			if err != nil {
				return err
			}
			holds, err := f.holds(n, doc)
			if err != nil {
				return err
			}
			if holds {
				p.Sure.Add(at)
			}
		}
		f.parts[i].Maybe = p.Sure
	}
	f.parts = slices.DeleteFunc(f.parts, func(p filteredChunk) bool { return p.Sure.IsEmpty() })
	return nil
}

// holds evaluates the filter for a document.
func (f *filtering) holds(n uint64, doc []byte) (bool, error) {
	var id payload.ID
	if len(f.ids) > 0 {
		record, err := f.record(n)
		if err != nil {
			return false, err
		}
		id = record.id.inPayload()
	}
	return f.matcher.Match(doc, id), nil
}

// payloadScan reads payloads in the order of numbers.
type payloadScan struct {
	i  *pebble.Iterator
	at uint64 // number of the payload at which the iterator is; above those of all if it is at the end
}

func (r *reading) scanPayloads() (*payloadScan, error) {
	i, err := r.snapshot.NewIter(&pebble.IterOptions{
		LowerBound: []byte{payloadKey}, UpperBound: []byte{payloadKey + 1},
	})
	if err != nil {
		return nil, err
	}
	return &payloadScan{i: i}, nil
}

// payload returns the payload of a document, or nil. It is valid until the next call. Numbers must not fall.
func (s *payloadScan) payload(n uint64) ([]byte, error) {
	if s.at < n || !s.i.Valid() {
		if s.at+1 != n || !s.i.Valid() || !s.i.Next() {
			s.i.SeekGE(keyOfNumber(payloadKey, n))
		}
		s.at = 1<<64 - 1
		if s.i.Valid() {
			s.at, _ = number(s.i.Key(), 1)
			if s.at < n {
				s.i.SeekGE(keyOfNumber(payloadKey, n))
			}
		}
	}
	if !s.i.Valid() || s.at != n {
		return nil, s.i.Error()
	}
	return s.i.ValueAndErr()
}

func (s *payloadScan) close() error { return s.i.Close() }

// allowed returns the documents with numbers from first to the one before end that surely satisfy the filter, nil if
// there are none.
func (f *filtering) allowed(first, end uint64) *labelset.Set {
	at, _ := f.find(chunkOf(first))
	last := at
	for last < len(f.parts) && f.parts[last].chunk<<postings.ChunkBits < end {
		last++
	}
	parts := make([]documentChunk, 0, last-at)
	for _, p := range f.parts[at:last] {
		if some := within(documentChunk{p.chunk, p.Sure}, first, end); !some.IsEmpty() {
			parts = append(parts, documentChunk{p.chunk, some})
		}
	}
	if len(parts) == 0 {
		return nil
	}
	from := parts[0].chunk
	chunks := parts[len(parts)-1].chunk - from + 1
	if chunks > mostDense {
		return labelset.OfBitmap(bitmapOf(parts))
	}
	count, words := uint64(0), make([]uint64, chunks*chunkWords)
	for _, p := range parts {
		count += p.set.GetCardinality()
		p.set.WriteDenseTo(words[(p.chunk-from)*chunkWords:])
	}
	return labelset.OfBits(count, from<<postings.ChunkBits, words)
}

const (
	chunkWords = 1 << postings.ChunkBits / 64
	mostDense  = 1 << 9 // chunks of a segment for which a filter takes a bit for each number: 4 MiB
)

// bitmapOf returns the documents of chunks as one set.
func bitmapOf(chunks []documentChunk) *roaring64.Bitmap {
	set := roaring64.New()
	for _, c := range chunks {
		for i := c.set.Iterator(); i.HasNext(); {
			set.Add(c.chunk<<postings.ChunkBits | uint64(i.Next()))
		}
	}
	return set
}
