// Package store reads and writes Shale's own index files; docs/format.md describes them byte by byte. Package
// store/hnswlib does the same for hnswlib's.
package store

import "github.com/shale-search/shale/internal/format"

// FormatError describes what is wrong with a file: its path, the offset, the part of the format and the reason. Package
// store/hnswlib returns it too.
type FormatError = format.Error
