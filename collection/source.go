package collection

import (
	"context"
	"errors"
	"slices"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/shale-search/shale/internal/inside"
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

// mergedSource is the rows of one vector of some sealed segments that aren't dead. It is a shale.Source.
type mergedSource struct {
	from    []view
	vector  int
	dim     int
	numbers []uint64 // of their documents
}

func newMergedSource(from []view, vector, dim int) (*mergedSource, error) {
	s := &mergedSource{from: from, vector: vector, dim: dim}
	for _, v := range from {
		x := v.indexes[vector]
		if x == nil {
			continue
		}
		labels, err := inside.Of(x).LabelsInOrder()
		if err != nil {
			return nil, err
		}
		s.numbers = append(s.numbers, slices.DeleteFunc(labels, v.isDead)...)
	}
	return s, nil
}

// Rows returns the number of rows.
func (s *mergedSource) Rows() int { return len(s.numbers) }

// Dim returns the number of values a row.
func (s *mergedSource) Dim() int { return s.dim }

// Type returns the type of the values.
func (s *mergedSource) Type() vector.Type { return vector.Float32 }

// Blocks calls fn with all rows, in the same order each time.
func (s *mergedSource) Blocks(ctx context.Context, fn func(first int, rows vector.Matrix) error) error {
	first := 0
	return s.each(ctx, func(numbers []uint64, values []float32) error {
		rows, err := vector.Of(values, s.dim)
		if err != nil {
			return err
		}
		if first+len(numbers) > len(s.numbers) || !slices.Equal(numbers, s.numbers[first:first+len(numbers)]) {
			return errors.New("a segment's labels aren't in the order of its rows")
		}
		if err := fn(first, rows); err != nil {
			return err
		}
		first += len(numbers)
		return nil
	})
}

// each calls fn with the rows, some at a time.
func (s *mergedSource) each(ctx context.Context, fn func(numbers []uint64, values []float32) error) error {
	var numbers []uint64
	var values []float32
	for _, v := range s.from {
		x := v.indexes[s.vector]
		if x == nil {
			continue
		}
		err := x.EachVector(ctx, func(labels []uint64, rows vector.Matrix) error {
			numbers, values = numbers[:0], values[:0]
			for i, n := range labels {
				if !v.isDead(n) {
					numbers, values = append(numbers, n), append(values, vector.Row[float32](rows, i)...)
				}
			}
			if len(numbers) == 0 {
				return nil
			}
			return fn(numbers, values)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
