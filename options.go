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

// Source is the vectors that an index is built of. A Matrix is one, and so is a dataset.File.
type Source = shard.Source

// BuildOptions says what an index is like, and how and where to build it. The zero value of a field means its default.
type BuildOptions struct {
	Metric vector.Metric // default L2
	// Distance, if not nil, computes distances in place of a Metric. A smaller distance is nearer. Many goroutines call it
	// at once, with a query or a row and another row; it must not keep or change them. Such an index is one graph without
	// codes. Files hold DistanceName, a name of at most 64 bytes, and not the function: Open must be given both again.
	Distance     func(a, b []float32) float32
	DistanceName string

	Codes Codes // what searches walk over; default: codes of a cache line or two, or short rows
	// Rows is the type of the rows that are kept, and that distances are computed from. Default: half floats beside codes
	// where that is safe.
	Rows Rows
	PQ   PQOptions // of product quantization, if Codes is PQ
	// M is the number of links that a new row gets on each level. More links find more and take more memory. Default: 16.
	M int
	// BaseLinks is the number of links that a new row gets on level 0, from M to 2·M. Default: 1.5·M.
	BaseLinks int
	// EfConstruction is the number of rows among which the links of a new row are chosen. More make a better graph and a
	// longer build. Default: 200.
	EfConstruction int
	Seed           uint64 // of the random levels; same seed, rows and one thread give the same index; default 100
	ReplaceDeleted bool   // rows that are added take the places of deleted ones, whose labels can't come back then

	// External builds an index of links and labels alone. Its vectors stay where they are and are attached: see
	// Index.Attach. Vectors is the file that they are in, if any, which the index directory notes for those who open it.
	External bool
	Vectors  string

	Path    string // where the index is built: a directory, or a file if the name ends in .shale; default: in memory
	Live    bool   // make Path a live file: the index's memory, which changes in place
	Replace bool   // replace the index at Path once the new one is complete
	// Capacity is the number of rows to make room for at once, in an empty index or in a live file; default: those built
	// of.
	Capacity int
	// Wait is how long to wait for another process that is changing the index at Path, after which the error is ErrLocked.
	// Default: 30 seconds; less than 0: not at all. Waiting is called when such waiting begins, if not nil.
	Wait    time.Duration
	Waiting func()

	Labels    []uint64 // of the rows, one each; default 0, 1, …
	Shards    int      // graphs; default: one, or as many as Memory asks for
	Copies    float64  // rows stored for each row, 1 to 2: those at the borders of shards go to two; default 1
	Centroids int      // a shard, by which queries find the shards to look into; default 256
	// Blocks writes rows and links once more, side by side, so that an index can be searched in memory that holds its
	// codes but not its links: each element visited then costs a read of a disk. The index takes about twice the disk.
	Blocks  bool
	Memory  int64 // bytes that the build may take, page cache included; default: no bound
	Threads int   // default GOMAXPROCS

	// Progress is called with the rows done of each step now and then, from one goroutine at a time. A total of 0 means
	// that it isn't known.
	Progress func(step string, done, total int)

	held *location.Lock // of what is at Path, for callers that have it: see package inside
}

// config is what the graphs of an index of rows with dim values are like.
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

// step is a callback for the rows done of a step, or nil.
func (o *BuildOptions) step(name string, total int) func(done int) {
	if o.Progress == nil {
		return nil
	}
	return func(done int) { o.Progress(name, done, total) }
}

// training is a callback for the steps of training codes, or nil.
func (o *BuildOptions) training() func(done, total int) {
	if o.Progress == nil {
		return nil
	}
	return func(done, total int) { o.Progress("training codes", done, total) }
}
