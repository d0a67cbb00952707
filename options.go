package shale

import (
	"errors"
	"fmt"
	"time"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/vector"
)

// Source is the vectors that an index is built from. A vector.Matrix is a Source, and so is a dataset.File.
type Source = shard.Source

// BuildOptions says what an index is like, and how and where to build it. The zero value of a field means its default.
type BuildOptions struct {
	Metric vector.Metric // default L2
	// Distance, if not nil, computes distances in place of a Metric: the smaller, the nearer. Many goroutines call it at
	// once, with two rows or with a query and a row, which it must neither keep nor change. Such an index is one graph
	// without codes. Its files hold DistanceName, a name of at most 64 bytes, but not the function, so Open needs both.
	Distance     func(a, b []float32) float32
	DistanceName string

	// Codes are what searches compare while they walk the graph. Default: codes of one or two cache lines a row, or the
	// rows themselves if they are short.
	Codes Codes
	// Rows is the type of the rows that the index keeps to compute exact distances. Default: half floats beside codes if
	// rounding to them changes hardly any neighbour, otherwise float32; see type Rows.
	Rows Rows
	PQ   PQOptions // settings of product quantization, if Codes is PQ
	// M is the number of links that a new row gets on each level. More links find more and take more memory. Default: 16.
	M int
	// BaseLinks is the number of links that a new row gets on level 0, from M to 2·M. Default: 1.5·M.
	BaseLinks int
	// EfConstruction is the number of rows among which the links of a new row are chosen. More make a better graph and a
	// longer build. Default: 200.
	EfConstruction int
	// Seed seeds the random levels of rows. The same seed and rows give the same index if Threads is 1. Default: 100.
	Seed uint64
	// ReplaceDeleted lets new rows take the places of deleted ones, whose labels can't be undeleted after that.
	ReplaceDeleted bool

	// External builds an index that holds links and labels but no vectors: Index.Attach gives it the vectors, which stay
	// where they are. Vectors is the file of the vectors, if they are in one. An index directory records its name.
	External bool
	Vectors  string

	// Path is where the index is built: a directory, or a file if the name ends in .shale. Default: in memory.
	Path    string
	Live    bool // make Path a live file, which is the index's memory and changes in place
	Replace bool // replace the index at Path once the new one is complete
	// Capacity is the number of rows to allocate for at first, in an empty index or in a live file. Default: the number
	// of rows of the source.
	Capacity int
	// Wait is how long Build waits for another process that is changing the index at Path before it returns ErrLocked.
	// Default: 30 seconds; a negative value means not at all. Waiting, if not nil, is called when the waiting begins.
	Wait    time.Duration
	Waiting func()

	Labels []uint64 // one for each row; default: 0, 1, …
	// Shards is the number of graphs that the rows are divided into. Default: one, or as many as Memory makes necessary.
	Shards int
	// Copies is the average number of shards that store a row, from 1 to 2. Above 1, rows near the border of two shards
	// are stored in both, so that searches look into fewer shards. Default: 1.
	Copies float64
	// Centroids is the number of centroids for each shard. Searches compare the query with them to choose the shards to
	// look into. Default: 256.
	Centroids int
	// Blocks stores the row and the links of each element side by side a second time. Searches then need memory for the
	// codes only, and read one block from the disk for each element that they visit. The index takes about twice the disk.
	Blocks  bool
	Memory  int64 // most bytes of memory that the build uses, page cache included; default: no bound
	Threads int   // goroutines that build; default GOMAXPROCS

	// Progress, if not nil, is called from time to time, from one goroutine at a time, with the number of rows done of a
	// step. A total of 0 means that the total isn't known.
	Progress func(step string, done, total int)

	held *location.Lock // the lock of the index at Path, if the caller holds it already: see package inside
}

// config returns the configuration of graphs of rows with dim values.
func (o *BuildOptions) config(dim int, halfIsSafe bool) (hnsw.Config, error) {
	if err := checkThreads(o.Threads); err != nil {
		return hnsw.Config{}, err
	}
	codes, rows, err := o.layout(dim, halfIsSafe)
	if o.External {
		rows = rowtype.External
	}
	return hnsw.Config{
		Dim: dim, Metric: o.Metric, Storage: rows, Codes: codes,
		M: o.M, BaseLinks: o.BaseLinks, EfConstruction: o.EfConstruction, Seed: o.Seed, Capacity: o.Capacity,
		ReplaceDelete: o.ReplaceDeleted, Custom: o.Distance, CustomName: o.DistanceName,
	}, err
}

// check refuses options that contradict each other or don't suit the source.
func (o *BuildOptions) check(src Source) error {
	if err := o.nameChoices(); err != nil {
		return err
	}
	if err := o.checkDistance(); err != nil {
		return err
	}
	divided := o.Shards > 1 || o.Blocks
	switch {
	case o.Labels != nil && len(o.Labels) != src.Rows():
		return fmt.Errorf("%d labels for %d rows", len(o.Labels), src.Rows())
	case o.Live && o.Path == "":
		return errors.New("a live file needs a path")
	case o.Capacity < 0:
		return fmt.Errorf("a capacity of %d rows is not at least 0", o.Capacity)
	case o.Live && (o.External || divided):
		return errors.New("a live file is one graph with its rows: it has no shards and no blocks, and can't be external")
	case o.External && divided:
		return errors.New("an external index is one graph, and can't have several shards or blocks")
	case o.External && !inMemory(src):
		return errors.New("an external index needs its vectors in memory or in a mapping")
	}
	return hnsw.CheckLabels(o.Labels)
}

func inMemory(src Source) bool {
	_, ok := shard.InMemory(src)
	return ok
}

// step returns a function that reports the rows done of a step, or nil if there is no Progress.
func (o *BuildOptions) step(name string, total int) func(done int) {
	if o.Progress == nil {
		return nil
	}
	return func(done int) { o.Progress(name, done, total) }
}

// training returns a function that reports the progress of training codes, or nil if there is no Progress.
func (o *BuildOptions) training() func(done, total int) {
	if o.Progress == nil {
		return nil
	}
	return func(done, total int) { o.Progress("training codes", done, total) }
}
