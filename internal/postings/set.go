// Package postings says which documents have a value in a field, by an index of the field. Documents have numbers. A
// chunk is the documents whose numbers differ in the last 16 bits only, so a set of them is one Roaring container, and
// what an index holds of a chunk is small enough to be read, merged and replaced at once.
package postings

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// ChunkBits is the number of bits by which the numbers of a chunk differ.
const ChunkBits = 16

// mostInChunk is the number of documents of a chunk.
const mostInChunk = 1 << ChunkBits

// The forms of a set, which are those of a Roaring container. A set is stored in its shortest form, and the first byte
// is the number of the form.
const (
	listForm  = 0 // then the members, 2 bytes each
	runsForm  = 1 // then the first and the last of each run of members, 2 bytes each
	denseForm = 2 // then a bit for each document of a chunk, in words of 8 bytes
	editForm  = 3 // no set but a change of one: 2 bytes, the length of the set that is added; that; the set removed
)

const (
	denseBytes = mostInChunk / 8
	chunkWords = mostInChunk / 64
)

// ErrDamaged reports what isn't postings.
var ErrDamaged = errors.New("the postings are damaged")

// EncodeSet returns a set of documents of a chunk as the store holds it. Numbers in it are little-endian.
func EncodeSet(s *roaring.Bitmap) []byte {
	list := 2 * s.GetCardinality()
	if list <= 32 {
		return appendList(nil, s)
	}
	words := make([]uint64, chunkWords)
	s.WriteDenseTo(words)
	runs := 4 * countRuns(words)
	switch {
	case runs < list && runs < denseBytes:
		return appendRuns(nil, words)
	case list <= denseBytes:
		return appendList(make([]byte, 0, 1+list), s)
	}
	b := make([]byte, 1, 1+denseBytes)
	b[0] = denseForm
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

func appendList(b []byte, s *roaring.Bitmap) []byte {
	b = append(b, listForm)
	for i := s.Iterator(); i.HasNext(); {
		b = binary.LittleEndian.AppendUint16(b, uint16(i.Next()))
	}
	return b
}

// countRuns returns the number of runs of bits that are set.
func countRuns(words []uint64) (runs uint64) {
	before := uint64(0) // the highest bit of the word before
	for _, w := range words {
		runs += uint64(bits.OnesCount64(w &^ (w<<1 | before)))
		before = w >> 63
	}
	return runs
}

func appendRuns(b []byte, words []uint64) []byte {
	b = append(b, runsForm)
	before := uint64(0)
	for i, w := range words {
		after := uint64(0) // the lowest bit of the word after
		if i+1 < len(words) {
			after = words[i+1] & 1
		}
		starts, ends := w&^(w<<1|before), w&^(w>>1|after<<63)
		for edges := starts | ends; edges != 0; edges &= edges - 1 {
			at := bits.TrailingZeros64(edges)
			if starts>>at&1 == 1 {
				b = binary.LittleEndian.AppendUint16(b, uint16(64*i+at))
			}
			if ends>>at&1 == 1 {
				b = binary.LittleEndian.AppendUint16(b, uint16(64*i+at))
			}
		}
		before = w >> 63
	}
	return b
}

// DecodeSet reads what EncodeSet has written. No value is the empty set.
func DecodeSet(b []byte) (*roaring.Bitmap, error) {
	if len(b) == 0 {
		return roaring.New(), nil
	}
	switch form, b := b[0], b[1:]; {
	case form == listForm && len(b)%2 == 0:
		members := make([]uint32, len(b)/2)
		for i := range members {
			members[i] = uint32(binary.LittleEndian.Uint16(b[2*i:]))
		}
		return roaring.BitmapOf(members...), nil
	case form == runsForm && len(b)%4 == 0 && len(b) > 4*fewRuns:
		words := make([]uint64, chunkWords)
		addRuns(words, b)
		return roaring.FromDense(words, false), nil
	case form == runsForm && len(b)%4 == 0:
		s := roaring.New()
		for ; len(b) > 0; b = b[4:] {
			first, last := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:])
			s.AddRange(uint64(first), uint64(last)+1)
		}
		return s, nil
	case form == denseForm && len(b) == denseBytes:
		words := make([]uint64, chunkWords)
		for i := range words {
			words[i] = binary.LittleEndian.Uint64(b[8*i:])
		}
		return roaring.FromDense(words, false), nil
	}
	return nil, ErrDamaged
}

// addSet adds a set, as EncodeSet has written it, to the bits of a chunk.
func addSet(words []uint64, b []byte) error {
	if len(b) == 1+denseBytes && b[0] == denseForm {
		for i := range words {
			words[i] |= binary.LittleEndian.Uint64(b[1+8*i:])
		}
		return nil
	}
	if len(b)%2 == 1 && b[0] == listForm {
		addDocuments(words, b[1:])
		return nil
	}
	if len(b)%4 == 1 && b[0] == runsForm {
		addRuns(words, b[1:])
		return nil
	}
	if len(b) == 0 {
		return nil
	}
	return ErrDamaged
}

// fewRuns is the number of runs up to which they are added to a set one by one, each of which takes as long as there
// are runs already.
const fewRuns = 16

// addRuns adds runs, a first and a last member each, to the bits of a chunk.
func addRuns(words []uint64, b []byte) {
	for ; len(b) > 0; b = b[4:] {
		first, last := int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:]))
		if first > last {
			continue
		}
		from, to := ^uint64(0)<<(first%64), ^uint64(0)>>(63-last%64)
		if first/64 == last/64 {
			words[first/64] |= from & to
			continue
		}
		words[first/64] |= from
		for i := first/64 + 1; i < last/64; i++ {
			words[i] = ^uint64(0)
		}
		words[last/64] |= to
	}
}

// EncodeEdit returns a change of a set, by which a store adds and removes members without reading the set: Merging
// puts it together with what is there.
func EncodeEdit(add, remove *roaring.Bitmap) []byte {
	a := EncodeSet(add)
	if remove.IsEmpty() {
		return a
	}
	b := binary.LittleEndian.AppendUint16([]byte{editForm}, uint16(len(a)))
	return slices.Concat(b, a, EncodeSet(remove))
}

// decodeEdit reads a set or a change of one.
func decodeEdit(b []byte) (add, remove *roaring.Bitmap, err error) {
	if len(b) == 0 || b[0] != editForm {
		add, err = DecodeSet(b)
		return add, roaring.New(), err
	}
	if len(b) < 3 || len(b)-3 < int(binary.LittleEndian.Uint16(b[1:])) {
		return nil, nil, ErrDamaged
	}
	end := 3 + int(binary.LittleEndian.Uint16(b[1:]))
	if add, err = DecodeSet(b[3:end]); err != nil {
		return nil, nil, err
	}
	remove, err = DecodeSet(b[end:])
	return add, remove, err
}
