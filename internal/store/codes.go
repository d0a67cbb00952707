package store

import (
	"context"
	"fmt"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/vector"
)

// RowPlace says where an index file holds its rows.
type RowPlace struct {
	Type   vector.Type
	Count  int
	Offset int64 // of the first row in the file, a multiple of SumBlock
	Stride int   // bytes from one row to the next
	// Sums are those of the rows, as SumOf gives them, for every SumBlock bytes from Offset on; the last block ends with the
	// last row. Who reads rows can tell by them whether these are as they were saved.
	Sums []uint32
}

// Bytes is the length of all rows.
func (p *RowPlace) Bytes() int64 { return int64(p.Count) * int64(p.Stride) }

// OpenSteering reads all of an index file but its rows and links of level 0: whoever leads a hnsw.Probe's walk brings these.
// Everything read is checked.
func OpenSteering(ctx context.Context, path string) (*hnsw.Frozen, error) {
	x, _, err := openCodes(ctx, path, true)
	return x, err
}

// OpenCodes reads all of an index file but its rows, which stay on disk: searches of what it gives read codes, and the
// distances that they tell are estimates. Everything read is checked; the rows can be, by their sums. An index without codes can't be
// opened so.
func OpenCodes(ctx context.Context, path string) (*hnsw.Frozen, RowPlace, error) {
	return openCodes(ctx, path, false)
}

func openCodes(ctx context.Context, path string, withoutLinks bool) (*hnsw.Frozen, RowPlace, error) {
	var x *hnsw.Frozen
	var place RowPlace
	err := withLoader(ctx, path, func(l *loader) error {
		m := l.meta
		if m.Coded == 0 {
			return l.r.Bad(l.h.section(Codes).Offset, Codes.String(), "the index has no codes to search by without its rows")
		}
		place = RowPlace{vector.Type(m.Storage), int(m.Count), l.h.section(Vectors).Offset, int(m.RowStride), nil}
		c, err := l.config(Options{})
		if err != nil {
			return err
		}
		c.Storage = vector.NoRows
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
