// Package store reads and writes Shale's own index files; docs/format.md describes them byte by byte. Package
// store/hnswlib does the same for hnswlib's.
package store

import "github.com/shale-search/shale/internal/format"

// FormatError says what is wrong with a file, and where: its path, the byte, the part of the format and the reason. The
// readers of store/hnswlib give it too.
type FormatError = format.Error
