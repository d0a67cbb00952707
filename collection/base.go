package collection

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/location"
)

const (
	// largestBaseLabel bounds labels that become numbers of documents, after which new ones follow.
	largestBaseLabel = 1 << 62
	// baseSpread is how many labels there may be for each row, from the smallest to the largest.
	baseSpread = 64
	// baseBatch is how many documents are recorded at once.
	baseBatch = 10_000
)

// CreateFrom makes a collection at dir, where nothing may be but an empty directory, of an index directory. The index
// isn't built again: its files, or copies of them where the file system has no links, become the first segment. Each of
// its labels is the ID of a document without a payload. The schema has one vector, whose Dim and Metric may be left
// open, or none, which stands for such a one. The index stays as it is.
func CreateFrom(ctx context.Context, dir string, s Schema, index string) error {
	base, err := openBase(ctx, &s, index)
	if err == nil {
		err = create(dir, s, func(temp string, db *pebble.DB) (counters, error) { return base.install(ctx, temp, s, db) })
	}
	if err != nil {
		return fmt.Errorf("create collection %s of index %s: %w", dir, index, err)
	}
	return nil
}

// base is an index directory that becomes a collection.
type base struct {
	path   string
	labels []uint64 // in order
}

// openBase checks that an index may become a collection of a schema, and completes that.
func openBase(ctx context.Context, s *Schema, path string) (*base, error) {
	format, err := location.Detect(path)
	if err != nil {
		return nil, err
	}
	if format != location.Directory {
		return nil, invalidf("it is a %s: save it as an index directory first", format)
	}
	x, err := shale.Open(ctx, path, shale.OpenOptions{Mapped: true})
	if err != nil {
		return nil, err
	}
	b := &base{path: path}
	return b, errors.Join(b.check(x, s), x.Close())
}

func (b *base) check(x *shale.Index, s *Schema) error {
	info, err := x.Info()
	if err != nil {
		return err
	}
	if info.Keep == "external" {
		return invalidf("it holds links alone, and its vectors lie elsewhere")
	}
	if len(s.Vectors) == 0 {
		s.Vectors = []Vector{{Metric: x.Metric()}}
	}
	if len(s.Vectors) > 1 {
		return invalidf("the schema has %d vectors, and an index is one", len(s.Vectors))
	}
	s.Vectors = slices.Clone(s.Vectors)
	v := &s.Vectors[0]
	if v.Dim == 0 {
		v.Dim = x.Dim()
	}
	if v.Dim != x.Dim() || v.Metric != x.Metric() {
		return invalidf("it has %d dimensions and metric %s, and the schema %d and %s", x.Dim(), x.Metric(), v.Dim, v.Metric)
	}
	if info.Keep == string(shale.RowsNone) {
		v.Rows = shale.RowsNone
	}
	if b.labels, err = x.Labels(); err != nil {
		return err
	}
	slices.Sort(b.labels)
	if len(b.labels) == 0 {
		return invalidf("it has no rows")
	}
	first, last := b.labels[0], b.labels[len(b.labels)-1]
	if last > largestBaseLabel || (last-first)/baseSpread > uint64(len(b.labels)) {
		return invalidf("its %d labels are too far apart, from %d to %d: import its rows", len(b.labels), first, last)
	}
	return nil
}

// install makes the index the first segment of a collection that is being created.
func (b *base) install(ctx context.Context, dir string, s Schema, db *pebble.DB) (counters, error) {
	end := b.labels[len(b.labels)-1] + 1
	c := counters{next: end, segment: 1, first: end, documents: uint64(len(b.labels))}
	if err := copyDir(ctx, b.path, segmentPath(dir, 0, 0), anyFile); err != nil {
		return c, err
	}
	r := segmentRecord{First: b.labels[0], End: end, Rows: []int{len(b.labels)}}
	x, err := openSegment(ctx, dir, s, 0, r, 0)
	if err != nil {
		return c, err
	}
	if err := x.close(); err != nil {
		return c, err
	}
	record, err := r.encode()
	if err != nil {
		return c, err
	}
	if err := db.Set(keyOfNumber(segmentKey, 0), record, pebble.NoSync); err != nil {
		return c, err
	}
	for some := range slices.Chunk(b.labels, baseBatch) {
		if err := errors.Join(ctx.Err(), recordBase(db, some)); err != nil {
			return c, err
		}
	}
	return c, nil
}

// recordBase records documents whose IDs are their numbers.
func recordBase(db *pebble.DB, numbers []uint64) error {
	b, there := db.NewBatch(), newDocumentEdit(&documentSet{})
	var errs []error
	for _, n := range numbers {
		there.add(n)
		errs = append(errs, b.Set(keyOfID(NumberID(n)), binary.BigEndian.AppendUint64(nil, n), nil),
			b.Set(keyOfNumber(documentKey, n), documentRecord{vectors: 1, id: NumberID(n)}.encode(), nil))
	}
	return errors.Join(append(errs, there.record(b), b.Commit(pebble.NoSync))...)
}
