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
}

// segmentRecord is what the store holds about a sealed segment.
type segmentRecord struct {
	First uint64 `json:"first"` // numbers of its documents: First … End - 1
	End   uint64 `json:"end"`
	Rows  []int  `json:"rows"` // one for each vector of the schema: rows in its index, dead ones included
}

const segmentsDir = "segments"

// segmentNames matches the names that segmentPath gives.
var segmentNames = regexp.MustCompile(`^[0-9]{8,20}-[0-9]{1,2}$`)

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

// openSegment maps the files of a sealed segment.
func openSegment(ctx context.Context, dir string, s Schema, number uint64, r segmentRecord) (*segment, error) {
	g := &segment{
		First: r.First, number: number, sealed: true, rows: r.Rows, indexes: make([]*shale.Index, len(r.Rows)),
		gone: make(chan struct{}),
	}
	for i, rows := range r.Rows {
		if rows == 0 {
			continue
		}
		path := segmentPath(dir, number, i)
		x, err := shale.Open(ctx, path, shale.OpenOptions{Mapped: true})
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

// search appends the k nearest rows of one vector. next is the number that the next document had when the query began,
// and matches, if not nil, decides about the others. A filter in o stands for matches and the rows that aren't dead.
func (v view) search(found []search.Neighbor, vector int, query []float32, k int, o search.Options, next uint64,
	matches func(number uint64) bool) ([]search.Neighbor, error) {
	var allowed func(uint64) bool
	if !v.dead.IsEmpty() || matches != nil {
		allowed = func(number uint64) bool { return !v.isDead(number) && (matches == nil || matches(number)) }
	}
	if !v.sealed {
		return v.flats[vector].search(found, query, k, o.Exact, next, allowed)
	}
	x := v.indexes[vector]
	if x == nil {
		return found, nil
	}
	if allowed != nil && o.Filter == nil {
		o.Filter = search.FilterFunc(allowed)
	}
	return x.SearchInto(found, query, k, o)
}
