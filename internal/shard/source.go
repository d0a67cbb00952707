package shard

import (
	"context"
	"fmt"
	"hash/crc32"

	"github.com/shale-search/shale/vector"
)

// Source is the rows that an index is built of. They are read front to back, more than once.
type Source interface {
	Rows() int
	Dim() int
	Type() vector.Type // Float32, Float16, Int8 or Uint8
	// Blocks calls fn with all rows in order, first being the number of a block's first row. A block isn't valid after fn.
	Blocks(ctx context.Context, fn func(first int, rows vector.Matrix) error) error
	// ID tells these rows from others: a build that was killed goes on only with those that it began with.
	ID() string
}

// MatrixSource makes a source of rows in memory; id is their ID, to which the checksum of a sample is added.
func MatrixSource(rows vector.Matrix, id string) Source { return matrixSource{rows, id} }

type matrixSource struct {
	vector.Matrix
	id string
}

// InMemory gives the rows of a source that MatrixSource made.
func InMemory(src Source) (rows vector.Matrix, ok bool) {
	s, ok := src.(matrixSource)
	return s.Matrix, ok
}

func (s matrixSource) ID() string { return fmt.Sprintf("%s %08x", s.id, s.sampleSum()) }

// sampleSum is a checksum of rows at places spread over all, the first and the last among them.
func (s matrixSource) sampleSum() uint32 {
	const places = 64
	sum, n := uint32(0), min(places, s.Rows())
	for i := range n {
		row := s.Rows() - 1
		if i < n-1 {
			row = spread{n, s.Rows()}.at(i)
		}
		sum = crc32.Update(sum, crc32.MakeTable(crc32.Castagnoli), s.RowBytes(row))
	}
	return sum
}

func (s matrixSource) Blocks(ctx context.Context, fn func(first int, rows vector.Matrix) error) error {
	const block = 1 << 14
	for first := 0; first < s.Rows(); first += block {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fn(first, s.Slice(first, min(first+block, s.Rows()))); err != nil {
			return err
		}
	}
	return nil
}

// spread picks n of all numbers from 0, evenly.
type spread struct{ n, all int }

// at is the i-th of the numbers picked.
func (s spread) at(i int) int { return int(int64(i) * int64(s.all) / int64(s.n)) }

// pick gives the rows picked, in order, as float32, to fn with their places among those picked. Those that can't be
// compared by the metric are refused.
func (s spread) pick(ctx context.Context, src Source, metric vector.Metric, fn func(i int, row []float32) error) error {
	next, row := 0, make([]float32, src.Dim())
	err := src.Blocks(ctx, func(first int, rows vector.Matrix) error {
		for next < s.n && s.at(next) < first+rows.Rows() {
			rows.Decode(s.at(next)-first, row)
			if err := metric.Check(row); err != nil {
				return fmt.Errorf("row %d: %w", s.at(next), err)
			}
			if err := fn(next, row); err != nil {
				return err
			}
			next++
		}
		return nil
	})
	if err == nil && next < s.n {
		err = fmt.Errorf("the input ends after %d of %d rows", next, s.n)
	}
	return err
}
