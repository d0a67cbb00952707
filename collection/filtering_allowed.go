package collection

import (
	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/shale-search/shale/internal/labelset"
	"github.com/shale-search/shale/internal/postings"
)

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
