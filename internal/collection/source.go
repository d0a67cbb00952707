package collection

import (
	"context"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/shale-search/shale/vector"
)

// flatSource is the rows of a flat that aren't dead. It is a shale.Source.
type flatSource struct {
	*flat
	numbers []uint64 // of their documents
	places  []int
}

// source returns the rows of documents below next that aren't dead.
func (f *flat) source(next uint64, dead *roaring64.Bitmap) flatSource {
	s := flatSource{flat: f}
	for i := range f.below(next) {
		b, at := f.at(i)
		if n := b.numbers[at]; !dead.Contains(n) {
			s.numbers, s.places = append(s.numbers, n), append(s.places, i)
		}
	}
	return s
}

// Rows returns the number of rows.
func (s flatSource) Rows() int { return len(s.places) }

// Dim returns the number of values a row.
func (s flatSource) Dim() int { return s.dim }

// Type returns the type of the values.
func (s flatSource) Type() vector.Type { return vector.Float32 }

// Blocks calls fn with all rows in order.
func (s flatSource) Blocks(ctx context.Context, fn func(first int, rows vector.Matrix) error) error {
	values := make([]float32, 0, s.blockRows*s.dim)
	for first := 0; first < len(s.places); first += s.blockRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		values = values[:0]
		for _, i := range s.places[first:min(first+s.blockRows, len(s.places))] {
			b, at := s.at(i)
			values = append(values, vector.Row[float32](b.rows, at)...)
		}
		rows, err := vector.Of(values, s.dim)
		if err != nil {
			return err
		}
		if err := fn(first, rows); err != nil {
			return err
		}
	}
	return nil
}
