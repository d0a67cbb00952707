// Package shale finds the nearest vectors: it builds graph indexes (HNSW), saves and opens them, and searches them while
// they change.
//
//	rows, err := vector.Of(data, 384)                             // []float32, 384 values a row
//	index, err := shale.Build(ctx, rows, shale.BuildOptions{Metric: shale.Cosine})
//	nearest, err := index.Search(query, 10, shale.SearchOptions{})
//
// Package dataset reads files of vectors, package eval tells how good and fast a search is, and packages hnsw and store
// have what lies beneath.
package shale

import (
	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/vector"
)

// Metric says how near two vectors are.
type Metric = vector.Metric

// The metrics: squared Euclidean distance, 1 − inner product, and 1 − cosine of the angle.
const (
	L2     = vector.L2
	IP     = vector.IP
	Cosine = vector.Cosine
)

// Matrix is a view of rows of numbers; vector.Of makes one of a slice.
type Matrix = vector.Matrix

// Neighbor is a result: a label and its distance to the query.
type Neighbor = hnsw.Neighbor

// SearchStats says what a search did.
type SearchStats = shard.Stats

// Filter says which labels a search may return. It may serve many searches at once.
type Filter = hnsw.Filter

// FilterFunc allows the labels for which allow is true. allow may be called from many goroutines.
func FilterFunc(allow func(label uint64) bool) *Filter { return hnsw.FilterFunc(allow) }

// FilterBitmap allows the labels in set, which must not change while it is in use.
func FilterBitmap(set *roaring64.Bitmap) *Filter { return hnsw.FilterBitmap(set) }

// FilterRange allows the labels from first to last. It takes no memory, however many these are.
func FilterRange(first, last uint64) *Filter { return hnsw.FilterRange(first, last, 1) }

// FilterLabels allows the labels given.
func FilterLabels(labels ...uint64) *Filter { return FilterBitmap(roaring64.BitmapOf(labels...)) }

// Errors that a caller can act on. They come wrapped: test with errors.Is.
var (
	ErrClosed     = hnsw.ErrClosed
	ErrDim        = vector.ErrDim
	ErrLabel      = hnsw.ErrLabel
	ErrDeleted    = hnsw.ErrDeleted
	ErrNotDeleted = hnsw.ErrNotDeleted
	ErrNotFinite  = hnsw.ErrNotFinite
	ErrTooLarge   = hnsw.ErrTooLarge
)
