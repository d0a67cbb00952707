package shale

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// Index is a set of labelled vectors that can be searched. Its methods may be called from many goroutines at once.
type Index struct {
	engine  engine
	vectors string // where the manifest says that the rows of an external index lie, seen from home
	live    string // the live file that it is, if any
	tuned   atomic.Pointer[manifest.Tuned]

	saving sync.Mutex     // guards what follows
	home   string         // directory that it was opened from or saved to
	saved  saved          // the manifest there, as far as this index knows
	file   version        // the file that it was opened from or saved to
	lock   *location.Lock // of what it was opened from, if asked for

	writing saving // to a directory, while it is under way
}

// ErrReadOnly reports a change of an index of one graph that is mapped or whose rows are on disk, or of one whose rows
// are elsewhere. An index of several shards can be changed however it is opened, unless it is external: see Index.Add.
var ErrReadOnly = shard.ErrReadOnly

func checkThreads(n int) error {
	if n < 0 {
		return fmt.Errorf("%d threads are not at least 0", n)
	}
	return nil
}

// Search returns the k vectors nearest to query, nearest first; of vectors equally far the one with the smaller label
// comes first. It returns fewer if the index has fewer.
func (x *Index) Search(query []float32, k int, o search.Options) ([]search.Neighbor, error) {
	return x.SearchInto(make([]search.Neighbor, 0, max(min(k, x.Len()), 0)), query, k, o)
}

// SearchInto is Search that appends the results to dst. With room in dst it doesn't allocate.
func (x *Index) SearchInto(dst []search.Neighbor, query []float32, k int, o search.Options) ([]search.Neighbor, error) {
	request.SetDefaults(&o, x.effort())
	return x.engine.SearchInto(dst, query, k, o)
}

// SearchBatch searches for the rows of queries. If k is above the number of rows, Results.K is that number, at least 1.
// An error names the first query that failed.
func (x *Index) SearchBatch(ctx context.Context, queries vector.Matrix, k int,
	o search.Options) (*search.Results, error) {
	request.SetDefaults(&o, x.effort())
	return x.engine.SearchBatch(ctx, queries, k, o)
}

// Add puts a vector in under a label. A label that is there already gets the new vector.
//
// In an index of several shards new rows go to a growing segment in memory beside the shards, into which every search
// looks; the shards stay as they are. To find a label in mapped shards their labels are all read, so AddBatch is faster
// than many calls of Add.
func (x *Index) Add(label uint64, vec []float32) error { return x.engine.Add(label, vec) }

// AddOptions says how to add many rows.
type AddOptions struct {
	Labels   []uint64       // one for each row; default: those that follow the largest label that any row has had
	Threads  int            // goroutines that add; default GOMAXPROCS
	Progress func(done int) // if not nil, called from time to time with the number of rows added
}

// AddBatch adds rows. A label that is there already gets the new vector; if several rows have the same label, the last
// one counts. Without AddOptions.Labels the rows get the labels that follow the largest label of the index. AddBatch
// checks all rows for NaN and infinity first. After another error, or when ctx ends, some rows may have been added.
func (x *Index) AddBatch(ctx context.Context, rows vector.Matrix, o AddOptions) error {
	if err := checkThreads(o.Threads); err != nil {
		return fmt.Errorf("add: %w", err)
	}
	return x.engine.AddBatch(ctx, rows, o)
}

// Delete marks vectors as deleted: searches no longer return their labels. The error lists labels that are unknown or
// deleted already; the other labels are deleted nevertheless.
func (x *Index) Delete(labels ...uint64) error { return x.engine.Delete(labels...) }

// Undelete lets searches return labels again that Delete has marked, unless new rows have taken their places. The error
// lists labels that are unknown or not deleted; the other labels are restored nevertheless.
func (x *Index) Undelete(labels ...uint64) error { return x.engine.Undelete(labels...) }

// EachVector calls fn with all vectors that aren't deleted, as float32, and their labels, some thousand at a time. Both
// are valid until fn returns, and fn must not change the index. If the metric is cosine the vectors are normalised. If
// the index keeps no rows they are decoded from its codes, and so approximate.
func (x *Index) EachVector(ctx context.Context, fn func(labels []uint64, rows vector.Matrix) error) error {
	return x.engine.EachVector(ctx, fn)
}

// Vectors returns the vectors of labels, in the form that EachVector describes. It returns ErrLabel if a label is
// unknown or deleted. An index of several shards reads all of its rows to find them.
func (x *Index) Vectors(labels ...uint64) (vector.Matrix, error) {
	values := make([]float32, len(labels)*x.Dim())
	if err := x.engine.vectors(labels, values); err != nil {
		return vector.Matrix{}, err
	}
	return vector.Of(values, x.Dim())
}

// Contains reports of each label whether a vector that isn't deleted has it.
func (x *Index) Contains(labels ...uint64) ([]bool, error) { return x.engine.Contains(labels...) }

// Labels returns the labels of all vectors that aren't deleted, in no order.
func (x *Index) Labels() ([]uint64, error) { return x.engine.Findable() }

// Len returns the number of vectors that aren't deleted.
func (x *Index) Len() int { return x.engine.Len() }

// Deleted returns the number of vectors that are marked as deleted.
func (x *Index) Deleted() int { return x.engine.Deleted() }

// Dim returns the number of values of a vector.
func (x *Index) Dim() int { return x.engine.Dim() }

// Metric returns the metric of the index. If BuildOptions.Distance computes the distances, it is none of the metrics of
// package vector, and its String is "custom".
func (x *Index) Metric() vector.Metric { return x.engine.Metric() }

// Resize allocates room for capacity vectors, which must not be fewer than the index has. An index of several shards
// needs no Resize: its shards grow as rows are added.
func (x *Index) Resize(capacity int) error { return x.engine.Resize(capacity) }

// Close waits for searches that are running and frees the index's memory. A live file is synced first, and a lock of
// OpenOptions.Lock is released. Methods of a closed index return ErrClosed.
func (x *Index) Close() error { return errors.Join(x.engine.Close(), x.lock.Close()) }

// Sync writes a live file to the disk; changes wait until it returns. Other indexes have Save instead. After a power
// cut the file holds everything that the last successful Sync wrote, and each later change either as a whole or not at
// all. If only the process ends, it holds all changes.
//
// If Sync fails, or a change because the file can't be written, it isn't known what reached the disk. Every later
// change, Sync and Close then returns the first error, while searches go on. Close the index and open it again.
func (x *Index) Sync() error {
	if x.live == "" {
		return fmt.Errorf("sync: the index lies in memory: %w", errors.ErrUnsupported)
	}
	return x.engine.Sync()
}
