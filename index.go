package shale

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// Index is a set of labelled vectors that can be searched. Its methods may be called from many goroutines at once.
type Index struct {
	graph   *hnsw.Index
	shards  *shard.Index // in the place of graph: several shards, or one whose rows stay on disk; it can't be changed
	vectors string       // where the manifest says that the rows of an index of links alone lie, seen from home
	live    string       // the live file that it is, if any
	tuned   atomic.Pointer[manifest.Tuned]

	saving sync.Mutex // guards what follows
	home   string     // directory that it was opened from or saved to
	saved  saved      // the manifest there, as far as this index knows
	file   version    // the file that it was opened from or saved to
	lock   *Lock      // of what it was opened from, if asked for

	writing *shard.Saving // of several shards, while a save writes them
}

// ErrReadOnly reports a change of an index that is mapped, or whose rows are on disk or elsewhere. Of those of several shards
// some that are mapped can be changed: see Index.Add.
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
	o.SetDefaults(x.Effort())
	return x.engine().SearchInto(dst, query, k, o)
}

// SearchBatch searches for the rows of queries. If k is above the number of rows, Results.K is that number, at least 1. An
// error names the first query that failed.
func (x *Index) SearchBatch(ctx context.Context, queries Matrix, k int, o search.Options) (*search.Results, error) {
	o.SetDefaults(x.Effort())
	return x.engine().SearchBatch(ctx, queries, k, o)
}

// SearchBatchInto is SearchBatch that writes to out, which has room for out.K results a query.
func (x *Index) SearchBatchInto(ctx context.Context, queries Matrix, out *search.Results, o search.Options) error {
	o.SetDefaults(x.Effort())
	return x.engine().SearchBatchInto(ctx, queries, out, o)
}

// Add puts a vector in under a label. A label that is there already gets the new vector.
//
// In an index of several shards a new row goes to the shard that searches for it look into first. Changes of one that is
// mapped load the shards that they touch. AddBatch is faster there than many calls of Add. One whose shards were built
// with blocks, or don't fit into OpenOptions.Memory, can't be changed.
func (x *Index) Add(label uint64, vec []float32) error {
	if x.shards != nil {
		row, err := vector.Of(vec, len(vec))
		if err != nil {
			return err
		}
		return x.shards.AddBatch(context.Background(), row, []uint64{label}, hnsw.BatchOptions{Threads: 1})
	}
	return x.graph.Add(label, vec, x.adding())
}

// AddOptions says how to add many rows.
type AddOptions struct {
	Labels   []uint64       // one a row; default: counted on from the largest label that any row has had
	Threads  int            // default GOMAXPROCS
	Progress func(done int) // told the number of rows added now and then, from one goroutine at a time
}

// AddBatch adds rows. Labels that are there already get the new vectors, and of rows with one label the last stays.
// Rows that come without labels get those that follow the largest one, each call its own. After an error, or when ctx
// ends, some rows may have been added; NaN and infinity are refused beforehand.
func (x *Index) AddBatch(ctx context.Context, rows Matrix, o AddOptions) error {
	if err := checkThreads(o.Threads); err != nil {
		return fmt.Errorf("add: %w", err)
	}
	if x.shards != nil {
		return x.shards.AddBatch(ctx, rows, o.Labels, hnsw.BatchOptions{Threads: o.Threads, Progress: o.Progress})
	}
	return x.graph.AddBatch(ctx, rows, o.Labels,
		hnsw.BatchOptions{Threads: o.Threads, Progress: o.Progress, AddOptions: x.adding()})
}

// adding says whether rows take the places of deleted ones: see BuildOptions.ReplaceDeleted.
func (x *Index) adding() hnsw.AddOptions {
	return hnsw.AddOptions{ReplaceDeleted: x.graph.Config().ReplaceDelete}
}

// Delete makes searches pass over labels. Those that are unknown or deleted already are told in the error; the others
// are deleted all the same.
func (x *Index) Delete(labels ...uint64) error {
	if x.shards != nil {
		return x.shards.Delete(context.Background(), labels...)
	}
	return hnsw.EachLabelOf(labels, x.graph.Delete)
}

// Undelete lets searches find labels again that Delete has made them pass over, until others have taken their places.
// Those that are unknown or not deleted are told in the error; the others come back all the same.
func (x *Index) Undelete(labels ...uint64) error {
	if x.shards != nil {
		return x.shards.Undelete(context.Background(), labels...)
	}
	return hnsw.EachLabelOf(labels, x.graph.Undelete)
}

// EachVector calls fn with the vectors that aren't deleted, decoded to float32, some thousand at a time, and their labels;
// both are valid until fn returns. With cosine they are normalised. The index mustn't be changed meanwhile.
func (x *Index) EachVector(ctx context.Context, fn func(labels []uint64, rows Matrix) error) error {
	if x.shards != nil {
		return x.shards.EachVector(ctx, fn)
	}
	return x.graph.EachVector(ctx, shard.VectorBlock(x.Dim()), nil, fn)
}

// ReserveLabels takes n labels that follow the largest one, and returns the first. No other call gets them, so that rows may
// be added under them later. AddBatch takes its labels so where it is given none.
func (x *Index) ReserveLabels(n int) (first uint64, err error) { return x.engine().ReserveLabels(n) }

// LargestLabel returns the largest label, those of deleted vectors included; ok is false where the index is empty.
func (x *Index) LargestLabel() (label uint64, ok bool, err error) { return x.engine().LargestLabel() }

// engine is what both kinds of index have.
type engine interface {
	Dim() int
	Metric() Metric
	Deleted() int
	ReserveLabels(n int) (first uint64, err error)
	LargestLabel() (label uint64, ok bool, err error)
	SearchInto(dst []search.Neighbor, query []float32, k int, o search.Options) ([]search.Neighbor, error)
	SearchBatch(ctx context.Context, queries Matrix, k int, o search.Options) (*search.Results, error)
	SearchBatchInto(ctx context.Context, queries Matrix, out *search.Results, o search.Options) error
	Range(query []float32, radius float32, limit int, o search.Options) ([]search.Neighbor, error)
	Close() error
}

func (x *Index) engine() engine {
	if x.shards != nil {
		return x.shards
	}
	return x.graph
}

// Len is the number of vectors that a search may find.
func (x *Index) Len() int {
	if x.shards != nil {
		return x.shards.Len()
	}
	return x.graph.Len() - x.graph.Deleted()
}

// Deleted is the number of vectors that are marked deleted.
func (x *Index) Deleted() int { return x.engine().Deleted() }

// Dim is the number of values a vector.
func (x *Index) Dim() int { return x.engine().Dim() }

// Metric is how distances are computed.
func (x *Index) Metric() Metric { return x.engine().Metric() }

// Graph is what lies beneath, for what this package has no words for; nil where Shards isn't.
func (x *Index) Graph() *hnsw.Index { return x.graph }

// GraphOnly reports whether the index holds links alone, over vectors that are attached.
func (x *Index) GraphOnly() bool {
	if x.shards != nil {
		return x.shards.GraphOnly()
	}
	return x.graph.Config().Storage == vector.External
}

// Vectors is the file that the rows of an index of links alone were in when it was built, as far as its directory tells; of
// other indexes it is empty.
func (x *Index) Vectors() string {
	if x.vectors == "" || filepath.IsAbs(x.vectors) {
		return x.vectors
	}
	return filepath.Join(x.home, x.vectors)
}

// Live is the live file that the index is, or empty.
func (x *Index) Live() string { return x.live }

// Shards is what lies beneath an index of several shards, or of one that is mapped or has its rows on disk or elsewhere; else
// nil.
func (x *Index) Shards() *shard.Index { return x.shards }

// Close frees the index's memory, once the searches under way have ended. A closed index answers ErrClosed. A live file is
// written to the disk first. What OpenOptions.Lock locked is unlocked.
func (x *Index) Close() error { return errors.Join(x.engine().Close(), x.lock.Close()) }

// Sync writes a live file to the disk; changes wait meanwhile. Other indexes have Save. After a power cut everything
// that was there when a Sync succeeded is there. What was added, changed or deleted since is there as a whole or as it
// was before; after the process alone has ended all of it is there.
//
// After an error of Sync, or of a change whose file couldn't be written, nothing is known of what reached the
// disk. Every later change, Sync and Close fails with hnsw.ErrFaulted and the first cause, while searches go on:
// close the index and open it anew.
func (x *Index) Sync() error {
	if x.live == "" {
		return fmt.Errorf("sync: the index lies in memory: %w", errors.ErrUnsupported)
	}
	return x.graph.Sync()
}

// Reorder renumbers the rows within the index for searches to be faster, as Build does. It is meant for an index that has
// just been filled: searches that begin meanwhile get ErrClosed, and while others are under way it gives hnsw.ErrBusy.
func (x *Index) Reorder() error {
	if x.graph == nil {
		return fmt.Errorf("reorder: %w: it has several shards, is mapped, or has its rows on disk or elsewhere", ErrReadOnly)
	}
	if err := x.graph.Reorder(); err != nil {
		return fmt.Errorf("reorder: %w", err)
	}
	return nil
}
