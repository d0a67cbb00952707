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

// ErrReadOnly reports a change of an index that is mapped, or whose rows are on disk or elsewhere. Of those of several
// shards some that are mapped can be changed: see Index.Add.
var ErrReadOnly = shard.ErrReadOnly

func checkThreads(n int) error {
	if n < 0 {
		return fmt.Errorf("%d threads are not at least 0", n)
	}
	return nil
}

// Search returns the k vectors nearest to query, nearest first, ties by smaller label, or fewer where there are fewer.
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
// In an index of several shards a new row goes to the shard that searches for it look into first. Changes of one that
// is mapped load the shards that they touch. AddBatch is faster there than many calls of Add. One whose shards were
// built with blocks, or don't fit into OpenOptions.Memory, can't be changed.
func (x *Index) Add(label uint64, vec []float32) error { return x.engine.Add(label, vec) }

// AddOptions says how to add many rows.
type AddOptions struct {
	Labels   []uint64       // one a row; default: counted on from the largest label that any row has had
	Threads  int            // default GOMAXPROCS
	Progress func(done int) // told the number of rows added now and then, from one goroutine at a time
}

// AddBatch adds rows. Labels that are there already get the new vectors, and of rows with one label the last stays.
// Rows that come without labels get those that follow the largest one, each call its own. After an error, or when ctx
// ends, some rows may have been added; NaN and infinity are refused beforehand.
func (x *Index) AddBatch(ctx context.Context, rows vector.Matrix, o AddOptions) error {
	if err := checkThreads(o.Threads); err != nil {
		return fmt.Errorf("add: %w", err)
	}
	return x.engine.AddBatch(ctx, rows, o)
}

// Delete makes searches pass over labels. Those that are unknown or deleted already are told in the error; the others
// are deleted all the same.
func (x *Index) Delete(labels ...uint64) error { return x.engine.Delete(labels...) }

// Undelete lets searches find labels again that Delete has made them pass over, until others have taken their places.
// Those that are unknown or not deleted are told in the error; the others come back all the same.
func (x *Index) Undelete(labels ...uint64) error { return x.engine.Undelete(labels...) }

// EachVector calls fn with the vectors that aren't deleted, decoded to float32, some thousand at a time, and their
// labels; both are valid until fn returns, which mustn't change the index. With cosine they are normalised. An index
// that keeps no rows gives what its codes stand for.
func (x *Index) EachVector(ctx context.Context, fn func(labels []uint64, rows vector.Matrix) error) error {
	return x.engine.EachVector(ctx, fn)
}

// Vectors returns the vectors of labels as EachVector gives them. Labels that are unknown or deleted give ErrLabel. An
// index of several shards reads all rows for it.
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

// Len is the number of vectors that a search may find.
func (x *Index) Len() int { return x.engine.Len() }

// Deleted is the number of vectors that are marked deleted.
func (x *Index) Deleted() int { return x.engine.Deleted() }

// Dim is the number of values a vector.
func (x *Index) Dim() int { return x.engine.Dim() }

// Metric returns how distances are computed. Where BuildOptions.Distance does that it is none of the metrics, and its
// String is "custom".
func (x *Index) Metric() vector.Metric { return x.engine.Metric() }

// Resize makes room for capacity vectors, no fewer than there are. Shards grow as rows are added.
func (x *Index) Resize(capacity int) error { return x.engine.Resize(capacity) }

// Close frees the index's memory, once the searches under way have ended. A closed index answers ErrClosed. A live file
// is written to the disk first. What OpenOptions.Lock locked is unlocked.
func (x *Index) Close() error { return errors.Join(x.engine.Close(), x.lock.Close()) }

// Sync writes a live file to the disk; changes wait meanwhile. Other indexes have Save. After a power cut everything
// that was there when a Sync succeeded is there. What was added, changed or deleted since is there as a whole or as it
// was before; after the process alone has ended all of it is there.
//
// After an error of Sync, or of a change whose file couldn't be written, nothing is known of what reached the disk.
// Every later change, Sync and Close fails with the first cause, while searches go on: close the index and open it
// anew.
func (x *Index) Sync() error {
	if x.live == "" {
		return fmt.Errorf("sync: the index lies in memory: %w", errors.ErrUnsupported)
	}
	return x.engine.Sync()
}
