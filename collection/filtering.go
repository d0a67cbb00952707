package collection

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"

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
