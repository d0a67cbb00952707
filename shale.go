// Package shale finds the nearest vectors: it builds graph indexes (HNSW), saves and opens them, and searches them
// while they change.
//
//	rows, err := vector.Of(data, 384)                             // []float32, 384 values a row
//	index, err := shale.Build(ctx, rows, shale.BuildOptions{Metric: vector.Cosine})
//	nearest, err := index.Search(query, 10, search.Options{})
//
// Package vector has views of rows, and the metrics. Package search has the options and results of searches, package
// dataset reads files of vectors, and package eval measures how good and fast searches are.
package shale

import "github.com/shale-search/shale/internal/hnsw"

// Errors that a caller can act on. They come wrapped: test with errors.Is. Vectors of
// another length than the index's give vector.ErrDim.
var (
	ErrClosed     = hnsw.ErrClosed
	ErrFull       = hnsw.ErrFull
	ErrLabel      = hnsw.ErrLabel
	ErrDeleted    = hnsw.ErrDeleted
	ErrNotDeleted = hnsw.ErrNotDeleted
	ErrNotFinite  = hnsw.ErrNotFinite
	ErrTooLarge   = hnsw.ErrTooLarge
)
