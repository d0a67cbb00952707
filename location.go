package shale

import "github.com/shale-search/shale/internal/location"

// Format is how an index lies on disk.
type Format = location.Format

// The formats.
const (
	Auto      = location.Auto
	Directory = location.Directory // a manifest and a file for each shard
	File      = location.File      // one file in Shale's own format; it keeps no tuned ef
	Hnswlib   = location.Hnswlib   // hnswlib's index.bin
	Graph     = location.Graph     // hnswlib-mmap's .graph: links alone; it holds no metric
	// hnswlib-mmap's directory of shards: an index.meta, and a .graph and a .meta for each
	ForkShards = location.ForkShards
	Live       = location.Live // one file that is the memory of an index and changes in place: see New
)

// ErrNotIndex reports a path at which there is something else than an index.
var ErrNotIndex = location.ErrNotIndex

// Detect returns the format of the index at path. The error is fs.ErrNotExist if there is nothing at path, and
// ErrNotIndex if there is something else.
func Detect(path string) (Format, error) { return location.Detect(path) }
