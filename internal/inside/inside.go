// Package inside gives other packages of the module what only they need of a shale.Index: the C interface hands the
// memory of its graph to forked processes, and the command attaches codes.
package inside

import (
	"context"
	"time"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/quant/pq"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// Of returns the inside of a *shale.Index. IndexOf returns a *shale.Index of a graph, which it takes over. Package
// shale sets both.
var (
	Of      func(index any) Index
	IndexOf func(graph *hnsw.Index) any
)

// Package shale sets these, which take pointers to its types.
var (
	// Hold sets in BuildOptions or SaveOptions that the caller holds the lock of the path to write.
	Hold func(options any, lock *location.Lock)
	// Expect tells Open, by its OpenOptions, what the searches to come take of OpenOptions.Memory. Otherwise that is what
	// some with a k of 10 and the index's own ef take. Where it is much, batches have fewer queries under way and use
	// fewer threads.
	Expect func(options any, load shard.SearchLoad)
	// RowsApart sets in OpenOptions that searches of a mapped index read rows from the file, and not from the mapping.
	RowsApart func(options any)
	// BuildTime returns how long the Run of a Plan has worked on the graphs. Of an index of one graph the time to read
	// vectors and to write the index isn't counted.
	BuildTime func(plan any) time.Duration
)

// Index is the inside of a shale.Index.
type Index interface {
	// Graph returns the graph that the index is, or nil if it is another kind of index.
	Graph() *hnsw.Index
	// Config returns the configuration of the graphs.
	Config() hnsw.Config
	// Shards returns the number of graphs.
	Shards() int
	// Capacity returns the number of vectors that there is room for now. More make it grow.
	Capacity() int
	// Changeable returns the reason why vectors can't be added and deleted, if there is one.
	Changeable() error
	// Placement returns what lies in memory and what on disk. ok is false for one graph that lies in memory.
	Placement() (p shard.Plan, ok bool)

	// Effort returns how hard searches look that name no ef: as Tune set it, or else with an ef of 100.
	Effort() search.Effort
	// SearchBatchInto is a SearchBatch that writes to out, which has room for out.K results a query.
	SearchBatchInto(ctx context.Context, queries vector.Matrix, out *search.Results, o search.Options) error

	// SearchWithin is SearchInto for a caller that knows k vectors elsewhere which are no farther than within: an index of
	// shards, or one that is mapped, ends walks early where all that they may yet come to is farther.
	SearchWithin(dst []search.Neighbor, query []float32, k int, o search.Options, within float32,
	) ([]search.Neighbor, error)

	// ReadAhead begins to read what walks need of files that are mapped. Walks would read it page by page.
	ReadAhead() error
	// Pin copies what walks read of files that are mapped into memory, of as many shards as room has bytes for, and
	// returns the bytes that the copies take. Close frees them.
	Pin(room int64) (bytes int64, err error)

	// External reports whether the index holds links and labels alone, over vectors that are attached.
	External() bool
	// VectorFile returns the file that the rows of an external index were in when it was built, if its directory
	// notes one, or "".
	VectorFile() string
	// AttachPQ gives an external index codes of product quantization, element i's at i times q.Stride(), which
	// searches walk over. They are neither copied nor changed, must outlive the index and aren't saved. Vectors that are
	// attached as well, best before, rank what is found; without them the distances returned are those of codes.
	AttachPQ(q *pq.Quantizer, codes []byte, o hnsw.AttachPQOptions) error

	// ReserveLabels takes n labels that follow the largest one, and returns the first. No other call gets them, so that
	// rows may be added under them later.
	ReserveLabels(n int) (first uint64, err error)
	// LabelsInOrder returns the labels in the order in which EachVector gives their vectors.
	LabelsInOrder() ([]uint64, error)
	// LargestLabel returns the largest label, those of deleted vectors included; ok is false if the index is empty.
	LargestLabel() (label uint64, ok bool, err error)

	// Distances returns the distances between each of queries and the vectors of its labels, as searches return them.
	// Those of a query end before the first label that isn't in the index. It returns nil for several shards, and if no
	// rows are kept.
	Distances(queries vector.Matrix, labels [][]uint64) ([][]float32, error)
	// Calibrate measures, by the true neighbours of queries, how many shards searches must look into to find a share of
	// these. It returns nil for an index of one shard.
	Calibrate(ctx context.Context, queries vector.Matrix, truth [][]uint64) (*shard.Calibration, error)
}
