package postings

import (
	"io"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// SetMerging puts the changes of a set together. One that stays alone isn't looked into.
type SetMerging struct {
	alone          []byte          // the first one, until there is another
	added, removed *roaring.Bitmap // no document is in both
}

// NewSetMerging begins with one value.
func NewSetMerging(value []byte) *SetMerging { return &SetMerging{alone: slices.Clone(value)} }

// open reads the first value, and returns another.
func (m *SetMerging) open(value []byte) (added, removed *roaring.Bitmap, err error) {
	if m.added == nil {
		if m.added, m.removed, err = decodeEdit(m.alone); err != nil {
			return nil, nil, err
		}
	}
	return decodeEdit(value)
}

// MergeNewer implements pebble.ValueMerger.
func (m *SetMerging) MergeNewer(value []byte) error {
	added, removed, err := m.open(value)
	if err != nil {
		return err
	}
	m.added.AndNot(removed)
	m.added.Or(added)
	m.removed.Or(removed)
	m.removed.AndNot(added)
	return nil
}

// MergeOlder implements pebble.ValueMerger.
func (m *SetMerging) MergeOlder(value []byte) error {
	added, removed, err := m.open(value)
	if err != nil {
		return err
	}
	added.AndNot(m.removed)
	removed.AndNot(m.added)
	m.added.Or(added)
	m.removed.Or(removed)
	return nil
}

// Finish implements pebble.ValueMerger.
func (m *SetMerging) Finish(includesBase bool) ([]byte, io.Closer, error) {
	if m.added == nil {
		if !includesBase || len(m.alone) == 0 || m.alone[0] != editForm {
			return m.alone, nil, nil
		}
		if _, _, err := m.open(nil); err != nil {
			return nil, nil, err
		}
	}
	if includesBase {
		return EncodeSet(m.added), nil, nil
	}
	return EncodeEdit(m.added, m.removed), nil, nil
}

// NumbersMerging puts the changes of numbers together.
type NumbersMerging struct {
	replaced *roaring.Bitmap // documents whose other values don't count
	values   []Value
}

// NewNumbersMerging begins with one value.
func NewNumbersMerging(value []byte) (*NumbersMerging, error) {
	replaced, n, err := decodeNumbersEdit(value)
	return &NumbersMerging{replaced, n.Values()}, err
}

// without removes the values of some documents.
func without(values []Value, documents *roaring.Bitmap) []Value {
	if documents.IsEmpty() {
		return values
	}
	return slices.DeleteFunc(values, func(v Value) bool { return documents.Contains(uint32(v.Document)) })
}

// MergeNewer implements pebble.ValueMerger.
func (m *NumbersMerging) MergeNewer(value []byte) error {
	replaced, n, err := decodeNumbersEdit(value)
	if err != nil {
		return err
	}
	m.values = append(without(m.values, replaced), n.Values()...)
	m.replaced.Or(replaced)
	return nil
}

// MergeOlder implements pebble.ValueMerger.
func (m *NumbersMerging) MergeOlder(value []byte) error {
	replaced, n, err := decodeNumbersEdit(value)
	if err != nil {
		return err
	}
	m.values = append(m.values, without(n.Values(), m.replaced)...)
	m.replaced.Or(replaced)
	return nil
}

// Finish implements pebble.ValueMerger.
func (m *NumbersMerging) Finish(bool) ([]byte, io.Closer, error) {
	return EncodeNumbersEdit(m.replaced, m.values), nil, nil
}
