package collection

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"sort"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/cockroachdb/pebble/v2"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/floats"
)

// Report is what Verify found.
type Report struct {
	Documents int
	Segments  int     // sealed ones
	Problems  []error // empty if the collection is in order
}

// Verify reads all of a collection and checks it: the files of segments, the store, and that they agree. It changes
// nothing. Nobody may have the collection open. The error is what kept it from looking.
func Verify(ctx context.Context, dir string, o Options) (r Report, err error) {
	dir = filepath.Clean(dir)
	lock, err := lockCollection(ctx, dir, o)
	if err != nil {
		return r, fmt.Errorf("verify collection %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	return verifyDir(ctx, dir)
}

// verifyDir verifies a collection that the caller has locked.
func verifyDir(ctx context.Context, dir string) (r Report, err error) {
	v := &verifier{ctx: ctx, dir: dir}
	if v.db, err = openStore(v.dir, storeOptions{readOnly: true}); err != nil {
		return Report{Problems: []error{err}}, nil
	}
	defer func() { err = errors.Join(err, v.db.Close()) }()
	v.run()
	if v.contents != nil {
		v.report.Segments = len(v.sealed)
	}
	return v.report, ctx.Err()
}

type verifier struct {
	ctx context.Context
	dir string
	db  *pebble.DB
	*contents
	labels [][]*roaring64.Bitmap // by segment and vector: rows that aren't dead, less those that a document was found for
	report Report
}

// mostProblems is how many are reported.
const mostProblems = 100

func (v *verifier) problem(err error) {
	if err != nil && len(v.report.Problems) < mostProblems {
		v.report.Problems = append(v.report.Problems, err)
	}
}

func (v *verifier) run() {
	var err error
	if v.contents, err = readContents(v.dir, v.db); err != nil {
		v.problem(err)
		return
	}
	for i := range v.sealed {
		v.segment(i)
	}
	v.problem(eachOf(v.db, documentKey, v.document))
	for i := range v.labels {
		for _, left := range v.labels[i] {
			if !left.IsEmpty() {
				v.problem(fmt.Errorf("segment %d has rows of no document, such as %d", v.sealed[i].number, left.Minimum()))
			}
		}
	}
	ids := 0
	v.problem(eachOf(v.db, idKey, func(key, value []byte) error { ids++; return v.id(key, value) }))
	v.problem(eachOf(v.db, payloadKey, v.owned))
	v.problem(v.documentNumbers())
	v.problem(v.postings())
	v.problem(eachOf(v.db, vectorKey, v.vector))
	if uint64(ids) != v.documents || uint64(v.report.Documents) != v.documents {
		v.problem(fmt.Errorf("the store counts %d documents, and has %d of them and %d ids",
			v.documents, v.report.Documents, ids))
	}
}

// segment checks the files of a segment and collects the labels of their rows.
func (v *verifier) segment(i int) {
	sets := make([]*roaring64.Bitmap, len(v.schema.Vectors))
	v.labels = append(v.labels, sets)
	whole, segment := true, v.sealed[i]
	for at, rows := range segment.Rows {
		sets[at] = roaring64.New()
		if rows == 0 {
			continue
		}
		report, err := shale.Verify(v.ctx, segmentPath(v.dir, segment.number, at))
		v.problem(errors.Join(append(report.Problems, err)...))
		whole = whole && err == nil && len(report.Problems) == 0
	}
	if whole {
		v.problem(v.collect(i, sets))
	}
}

// collect adds the labels of the rows of a segment that aren't dead to the sets, one for each vector.
func (v *verifier) collect(i int, sets []*roaring64.Bitmap) error {
	g, err := openSegment(v.ctx, v.dir, v.schema, v.sealed[i].number, v.sealed[i].segmentRecord, 0)
	if err != nil {
		return err
	}
	for at, x := range g.indexes {
		if x == nil {
			continue
		}
		labels, err := x.Labels()
		if err != nil {
			return errors.Join(err, g.close())
		}
		sets[at].AddMany(labels)
		sets[at].AndNot(v.sealed[i].dead)
	}
	return g.close()
}

// document checks that a document's vectors are where they should be, and that its ID leads to it.
func (v *verifier) document(key, value []byte) error {
	v.report.Documents++
	n, ok := number(key, 1)
	d, valid := decodeDocument(value)
	if !ok || !valid || n >= v.next || d.vectors == 0 || d.vectors>>len(v.schema.Vectors) != 0 {
		v.problem(damaged(v.dir, key, "the document is damaged"))
		return v.ctx.Err()
	}
	at, err := get(v.db, keyOfID(d.id))
	if err != nil {
		return err
	}
	if len(at) != 8 || binary.BigEndian.Uint64(at) != n {
		v.problem(damaged(v.dir, key, "its id leads to another document"))
	}
	for i := range v.schema.Vectors {
		if d.vectors&(1<<i) == 0 {
			continue
		}
		there, err := v.has(i, n)
		if err != nil {
			return err
		}
		if !there {
			v.problem(damaged(v.dir, key, fmt.Sprintf("its vector %q is missing", v.schema.Vectors[i].Name)))
		}
	}
	return v.ctx.Err()
}

// has reports whether a vector of a document is there, in the store or in a segment.
func (v *verifier) has(vector int, n uint64) (bool, error) {
	if n >= v.first {
		value, err := get(v.db, keyOfVector(vector, n))
		return value != nil, err
	}
	i := sort.Search(len(v.sealed), func(i int) bool { return n < v.sealed[i].End })
	return i < len(v.sealed) && v.sealed[i].First <= n && v.labels[i][vector].CheckedRemove(n), nil
}

// id checks that an ID leads to a document, which is of this ID as document checks.
func (v *verifier) id(key, value []byte) error {
	if n, ok := number(value, 0); ok {
		return v.owned(keyOfNumber(documentKey, n), nil)
	}
	v.problem(damaged(v.dir, key, "the number of the document is damaged"))
	return v.ctx.Err()
}

// owned checks that there is a document of the number in a key.
func (v *verifier) owned(key, _ []byte) error {
	_, err := v.owner(key, 1)
	return err
}

func (v *verifier) owner(key []byte, skip int) (documentRecord, error) {
	n, ok := number(key, skip)
	value, err := get(v.db, keyOfNumber(documentKey, n))
	if err != nil {
		return documentRecord{}, err
	}
	if !ok || value == nil {
		v.problem(damaged(v.dir, key, "there is no document of this number"))
	}
	d, _ := decodeDocument(value)
	return d, v.ctx.Err()
}

// vector checks a vector in the store.
func (v *verifier) vector(key, value []byte) error {
	d, err := v.owner(key, 2)
	if err != nil {
		return err
	}
	at := math.MaxInt
	if len(key) > 1 {
		at = int(key[1])
	}
	if at >= len(v.schema.Vectors) || d.vectors&(1<<at) == 0 {
		v.problem(damaged(v.dir, key, "the document has no such vector"))
		return nil
	}
	row := make([]float32, v.schema.Vectors[at].Dim)
	if n, _ := number(key, 2); n < v.first || !decodeVector(value, row) || !floats.Finite(row) {
		v.problem(damaged(v.dir, key, "the vector is damaged, or a segment has it"))
	}
	return nil
}
