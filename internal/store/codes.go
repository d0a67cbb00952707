package store

import (
	"context"
	"fmt"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/vector"
)

// RowPlace says where the rows are in an index file.
type RowPlace struct {
	Type   vector.Type
	Count  int
	Offset int64 // of the first row in the file, a multiple of SumBlock
	Stride int   // bytes from one row to the next
	// Sums are the checksums of the rows, as SumOf computes them, one for every SumBlock bytes from Offset on. The last
	// block ends with the last row. A reader of rows can check them by these.
	Sums []uint32
}

// Bytes returns the length of all rows.
func (p *RowPlace) Bytes() int64 { return int64(p.Count) * int64(p.Stride) }

// OpenSteering reads an index file except its rows and its links of level 0, which the caller of hnsw.Probe supplies.
// Everything read is checked.
func OpenSteering(ctx context.Context, path string) (*hnsw.Frozen, error) {
	x, _, err := openCodes(ctx, path, true)
	return x, err
}

// OpenCodes reads an index file except its rows, which stay on disk: searches read codes, and their distances are
// estimates. Everything read is checked, and rows can be checked by their sums. An index without codes is an error.
func OpenCodes(ctx context.Context, path string) (*hnsw.Frozen, RowPlace, error) {
	return openCodes(ctx, path, false)
}

func openCodes(ctx context.Context, path string, withoutLinks bool) (*hnsw.Frozen, RowPlace, error) {
	var x *hnsw.Frozen
	var place RowPlace
	err := withLoader(ctx, path, func(l *loader) error {
		m := l.meta
		if m.Coded == 0 {
			return l.noCodes()
		}
		place = l.rowPlace()
		c, err := l.config(Options{})
		if err != nil {
			return err
		}
		c.Storage = rowtype.NoRows
		l.withoutRows, l.withoutLinks = true, withoutLinks
		x, err = hnsw.RestoreFrozen(c, int(m.Count), int(m.UpperLists), l.fill)
		place.Sums = l.sums
		return l.locate(err)
	})
	if err != nil {
		return nil, RowPlace{}, fmt.Errorf("open codes: %w", err)
	}
	return x, place, nil
}

func (l *loader) noCodes() error {
	return l.r.Bad(l.h.section(Codes).Offset, Codes.String(), "the index has no codes to search by without its rows")
}

// rowPlace returns the place of the rows, without their checksums.
func (l *loader) rowPlace() RowPlace {
	m := l.meta
	return RowPlace{vector.Type(m.Storage), int(m.Count), l.h.section(Vectors).Offset, int(m.RowStride), nil}
}
