// Package shale finds the nearest vectors: it builds graph indexes (HNSW), saves and opens them, and searches them while
// they change.
//
//	rows, err := vector.Of(data, 384)                             // []float32, 384 values a row
//	index, err := shale.Build(ctx, rows, shale.BuildOptions{Metric: shale.Cosine})
//	nearest, err := index.Search(query, 10, search.Options{})
//
// Package search has the options and results of searches, package dataset reads files of vectors, and package eval measures
// how good and fast searches are.
package shale

import (
	"github.com/shale-search/shale/internal/hnsw"
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

// Errors that a caller can act on. They come wrapped: test with errors.Is.
var (
	ErrClosed     = hnsw.ErrClosed
	ErrDim        = vector.ErrDim
	ErrFull       = hnsw.ErrFull
	ErrLabel      = hnsw.ErrLabel
	ErrDeleted    = hnsw.ErrDeleted
	ErrNotDeleted = hnsw.ErrNotDeleted
	ErrNotFinite  = hnsw.ErrNotFinite
	ErrTooLarge   = hnsw.ErrTooLarge
)
