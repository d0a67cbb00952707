package collection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/search"
)

// segment is the rows of documents whose numbers follow each other. The last segment of a collection grows in memory.
// Those before it are sealed: index directories that never change. In between a few may be frozen: they lie in memory,
// don't grow any more, and are about to be sealed.
type segment struct {
	First  uint64 // the smallest number that a document of it may have
	number uint64 // of a sealed one
	sealed bool
	// indexes and rows of a sealed segment, one for each vector of the schema. Indexes are labelled by numbers of
	// documents. nil: there are no such rows.
	indexes  []*shale.Index
	rows     []int
	flats    []*flat          // of one that isn't sealed, one for each vector of the schema
	postings *growingPostings // of one that isn't sealed
	refs     atomic.Int64     // states that hold it
	gone     chan struct{}    // closed when none does any more and the files are closed

	// Of a sealed segment; the worker that pins alone changes them.
	pinned     int64         // bytes of memory for copies of its links and codes
	pinnedOf   *atomic.Int64 // counts these of all segments; nil: it isn't counted
	readBefore bool          // readAhead was called
}

// segmentRecord is what the store holds about a sealed segment.
type segmentRecord struct {
	First uint64 `json:"first"` // numbers of its documents: First … End - 1
	End   uint64 `json:"end"`
	Rows  []int  `json:"rows"` // one for each vector of the schema: rows in its index, dead ones included
}

const segmentsDir = "segments"

// segmentNames matches the names that segmentPath gives, and those of indexes that are being built of several shards.
var segmentNames = regexp.MustCompile(`^[0-9]{8,20}-[0-9]{1,2}(\.building)?$`)

func segmentName(number uint64, vector int) string { return fmt.Sprintf("%08d-%d", number, vector) }

// segmentPath returns the path of the index that holds one vector of a segment's documents.
func segmentPath(dir string, number uint64, vector int) string {
	return filepath.Join(dir, segmentsDir, segmentName(number, vector))
}

func (r segmentRecord) encode() ([]byte, error) { return json.Marshal(r) }

func decodeSegment(b []byte, vectors int) (r segmentRecord, err error) {
	if err := json.Unmarshal(b, &r); err != nil {
		return r, err
	}
	if r.First >= r.End || len(r.Rows) != vectors {
		return r, errors.New("the range of numbers or the number of vectors is wrong")
	}
	return r, nil
}

// growSegment returns an empty segment of documents from number first on.
func growSegment(s Schema, first uint64) *segment {
	g := &segment{First: first, gone: make(chan struct{}), postings: newGrowingPostings()}
	for _, v := range s.Vectors {
		g.flats = append(g.flats, newFlat(v))
	}
	return g
}

// openSegment maps the files of a sealed segment. Rows of an index with more values than apart are read apart from its
// mapping; 0: none are.
func openSegment(ctx context.Context, dir string, s Schema, number uint64, r segmentRecord, apart int64,
) (*segment, error) {
	g := &segment{
		First: r.First, number: number, sealed: true, rows: r.Rows, indexes: make([]*shale.Index, len(r.Rows)),
		gone: make(chan struct{}),
	}
	for i, rows := range r.Rows {
		if rows == 0 {
			continue
		}
		path := segmentPath(dir, number, i)
		o := shale.OpenOptions{Mapped: true}
		if apart > 0 && int64(rows) > apart/int64(s.Vectors[i].Dim) {
			inside.RowsApart(&o)
		}
		x, err := shale.Open(ctx, path, o)
		if err != nil {
			return nil, errors.Join(err, g.close())
		}
		g.indexes[i] = x
		v := s.Vectors[i]
		if x.Dim() != v.Dim || x.Metric() != v.Metric || x.Len() != rows {
			err := fmt.Errorf("%s: it holds %d rows of %d values with metric %s, not %d of %d with metric %s",
				path, x.Len(), x.Dim(), x.Metric(), rows, v.Dim, v.Metric)
			return nil, errors.Join(err, g.close())
		}
	}
	return g, nil
}

// close frees the indexes and the memory.
func (g *segment) close() error {
	var errs []error
	for _, x := range g.indexes {
		if x != nil {
			errs = append(errs, x.Close())
		}
	}
	for _, f := range g.flats {
		errs = append(errs, f.close())
	}
	g.unpinned()
	return errors.Join(errs...)
}

// view is a segment as a state has it.
type view struct {
	*segment
	End  uint64            // the number after the last that a document of it may have
	dead *roaring64.Bitmap // numbers of documents that were deleted or overwritten
}

// grown returns the view of a segment that grows.
func grown(g *segment) view { return view{g, math.MaxUint64, noneDead()} }

// grows reports whether the segment is the one that grows.
func (v view) grows() bool { return v.End == math.MaxUint64 }

// noneDead returns an empty set. Its clones share what isn't changed.
func noneDead() *roaring64.Bitmap {
	b := roaring64.New()
	b.SetCopyOnWrite(true)
	return b
}

func (v view) isDead(number uint64) bool { return v.dead.Contains(number) }

// viewSearch says what a query asks of a segment.
type viewSearch struct {
	vector  int
	query   []float32
	k       int
	options search.Options           // its filter, if not nil, stands for matches and the rows that aren't dead
	next    uint64                   // number that the next document had when the query began
	matches func(number uint64) bool // decides about rows that aren't dead; nil: all
	within  float32                  // k rows that are no farther are known from other segments
}

// search appends the k nearest rows to found. It may leave out some that are farther than within.
func (v view) search(found []search.Neighbor, q *viewSearch) ([]search.Neighbor, error) {
	var allowed func(uint64) bool
	if !v.dead.IsEmpty() || q.matches != nil {
		allowed = func(number uint64) bool { return !v.isDead(number) && (q.matches == nil || q.matches(number)) }
	}
	if !v.sealed {
		return v.flats[q.vector].search(found, q.query, q.k, q.options.Exact, q.next, allowed)
	}
	x := v.indexes[q.vector]
	if x == nil {
		return found, nil
	}
	o := q.options
	if o.Filter == nil && q.matches == nil && !o.Exact && !v.dead.IsEmpty() {
		if nearest, ok, err := v.searchAlive(found, x, q); ok || err != nil {
			return nearest, err
		}
	}
	if allowed != nil && o.Filter == nil {
		o.Filter = search.FilterFunc(allowed)
	}
	return inside.Of(x).SearchWithin(found, q.query, q.k, o, q.within)
}

// searchAlive searches for more than k rows and drops those that are dead, which is faster than a filter while these
// are few. It reports false if that left too few.
func (v view) searchAlive(found []search.Neighbor, x *shale.Index, q *viewSearch,
) (_ []search.Neighbor, ok bool, err error) {
	c := v.candidate()
	if c.live() <= c.rows/2 {
		return found, false, nil
	}
	o, asked := q.options, q.k+2*(q.k*c.dead/c.live())+4
	o.Ef = o.Ef * c.rows / c.live()
	had := len(found)
	all, err := inside.Of(x).SearchWithin(found, q.query, asked, o, q.within)
	if err != nil {
		return found, false, err
	}
	nearest, got := all[:had], all[had:]
	whole := len(got) < asked || got[asked-1].Distance >= q.within
	for _, n := range got {
		if len(nearest) < had+q.k && !v.isDead(n.Label) {
			nearest = append(nearest, n)
		}
	}
	return nearest, whole || len(nearest) == had+q.k, nil
}
