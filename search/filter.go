package search

import (
	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/shale-search/shale/internal/labelset"
)

// Filter selects the labels that a search may return: FilterLabels, FilterRange, FilterBitmap and FilterFunc make
// one. It may serve many searches at once.
type Filter labelset.Set

// FilterFunc allows the labels for which allow returns true. allow may be called from many goroutines at once.
func FilterFunc(allow func(label uint64) bool) *Filter { return (*Filter)(labelset.OfFunc(allow)) }

// FilterBitmap allows the labels in set, which must not change while the filter is in use.
func FilterBitmap(set *roaring64.Bitmap) *Filter { return (*Filter)(labelset.OfBitmap(set)) }

// FilterRange allows every step-th label from first on, up to and including last. It takes no memory, however many
// labels these are. A step of 0 is 1.
func FilterRange(first, last, step uint64) *Filter {
	step = max(step, 1)
	return FilterFunc(func(label uint64) bool {
		return label >= first && label <= last && (label-first)%step == 0
	})
}

// FilterLabels allows the labels given.
func FilterLabels(labels ...uint64) *Filter { return FilterBitmap(roaring64.BitmapOf(labels...)) }
