package postings

import (
	"maps"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/shale-search/shale/internal/payload"
)

// Index is a field with the kind of what is held of its values.
type Index struct {
	Path payload.Path
	Kind payload.Kind
}

// Edit calls fn with the terms of the changes by which a document of a chunk gets another payload. Nil is no payload.
func (x Index) Edit(document uint16, before, after []byte, fn func(term string, change []byte) error) error {
	var old, now payload.Entries
	x.Kind.Collect(&old, x.Path, before)
	x.Kind.Collect(&now, x.Path, after)
	none, one := roaring.New(), roaring.BitmapOf(uint32(document))
	for _, term := range old.Terms {
		if !slices.Contains(now.Terms, term) {
			if err := fn(term, EncodeEdit(none, one)); err != nil {
				return err
			}
		}
	}
	for _, term := range now.Terms {
		if !slices.Contains(old.Terms, term) {
			if err := fn(term, EncodeSet(one)); err != nil {
				return err
			}
		}
	}
	if slices.Equal(old.Numbers, now.Numbers) {
		return nil
	}
	var values []Value
	for _, n := range now.Numbers {
		values = append(values, Value{n, document})
	}
	return fn(NumbersTerm, EncodeNumbersEdit(one, values))
}

// Block is what an index holds of a chunk, in memory. It grows.
type Block struct {
	terms   map[string][]uint16
	values  []Value
	size    int
	entries payload.Entries
}

// Add adds a document, whose number is above that of those before.
func (b *Block) Add(x Index, document uint16, doc []byte) {
	x.Kind.Collect(&b.entries, x.Path, doc)
	if b.terms == nil {
		b.terms = map[string][]uint16{}
	}
	for _, term := range b.entries.Terms {
		list := b.terms[term]
		if n := len(list); n > 0 && list[n-1] == document {
			continue // it has the value twice
		}
		b.terms[term] = append(list, document)
		b.size++
	}
	for _, n := range b.entries.Numbers {
		b.values = append(b.values, Value{n, document})
		b.size++
	}
}

// Size returns about how many postings there are.
func (b *Block) Size() int { return b.size + len(b.terms) }

// Term returns the documents with a term.
func (b *Block) Term(term string) (*roaring.Bitmap, error) {
	return bitmapOf(b.terms[term]), nil
}

func bitmapOf(documents []uint16) *roaring.Bitmap {
	members := make([]uint32, len(documents))
	for i, d := range documents {
		members[i] = uint32(d)
	}
	return roaring.BitmapOf(members...)
}

// Range returns the documents that have a number within bounds.
func (b *Block) Range(bounds payload.Bounds) (*roaring.Bitmap, error) {
	return b.having(bounds.Contain), nil
}

// Any returns the documents that have one of some numbers, which are in order.
func (b *Block) Any(numbers []payload.Number) (*roaring.Bitmap, error) {
	return b.having(func(n payload.Number) bool {
		_, found := slices.BinarySearchFunc(numbers, n, payload.Number.Compare)
		return found
	}), nil
}

func (b *Block) having(wanted func(payload.Number) bool) *roaring.Bitmap {
	var found []uint16
	for _, v := range b.values {
		if wanted(v.Number) {
			found = append(found, v.Document)
		}
	}
	return bitmapOf(found)
}

// Each calls fn with every term but those of numbers, and its value as a store holds it, of the documents in keep.
// Terms of no such document are left out.
func (b *Block) Each(keep *roaring.Bitmap, fn func(term string, value []byte) error) error {
	for _, term := range slices.Sorted(maps.Keys(b.terms)) {
		s := bitmapOf(b.terms[term])
		if s.And(keep); s.IsEmpty() {
			continue
		}
		if err := fn(term, EncodeSet(s)); err != nil {
			return err
		}
	}
	return nil
}

// Values returns the numbers of the documents in keep, in order.
func (b *Block) Values(keep *roaring.Bitmap) (values []Value) {
	for _, v := range b.values {
		if keep.Contains(uint32(v.Document)) {
			values = append(values, v)
		}
	}
	return sortValues(values)
}
