// Package labelset has sets of labels. A function reports whether a label is a member, or a bitmap holds the members.
package labelset

import "github.com/RoaringBitmap/roaring/v2/roaring64"

// Set is a set of labels. It may be read by many goroutines at once.
type Set struct {
	contains func(label uint64) bool
	bitmap   *roaring64.Bitmap
	count    uint64
	counted  bool // count is known, where there is no bitmap
}

// Count returns the number of labels, if it is known.
func (s *Set) Count() (n uint64, ok bool) {
	if s.bitmap != nil {
		return s.bitmap.GetCardinality(), true
	}
	return s.count, s.counted
}

// OfFunc returns the set of the labels for which contains returns true.
func OfFunc(contains func(label uint64) bool) *Set { return &Set{contains: contains} }

// OfBitmap returns the set of the labels in a bitmap, which must not change any more.
func OfBitmap(b *roaring64.Bitmap) *Set { return &Set{contains: b.Contains, bitmap: b} }

// OfBits returns the set of count labels of which bit i of words, the lowest of the first word first, stands for label
// first + i. The words must not change any more.
func OfBits(count, first uint64, words []uint64) *Set {
	return &Set{count: count, counted: true, contains: func(label uint64) bool {
		i := label - first
		return i>>6 < uint64(len(words)) && words[i>>6]>>(i&63)&1 == 1
	}}
}

// Contains reports whether a label is in the set.
func (s *Set) Contains(label uint64) bool { return s.contains(label) }

// Bitmap returns the labels, or nil for a set that a function defines. The caller must not change it.
func (s *Set) Bitmap() *roaring64.Bitmap { return s.bitmap }
