package shale

import "github.com/shale-search/shale/internal/location"

// Format is how Save lays an index out on disk. Open recognises each format by itself, and live files too.
type Format = location.Format

// The formats.
const (
	Directory = location.Directory // a manifest and a file for each shard
	File      = location.File      // one file in Shale's own format; it keeps no tuned ef
	Hnswlib   = location.Hnswlib   // hnswlib's index.bin
	Graph     = location.Graph     // hnswlib-mmap's .graph: an external index; it holds no metric
	// hnswlib-mmap's directory of shards: an index.meta, and a .graph and a .meta for each
	ForkShards = location.ForkShards
)

// ErrNotIndex reports a path at which there is something else than an index.
var ErrNotIndex = location.ErrNotIndex
