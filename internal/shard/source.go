package shard

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash/crc32"

	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/vector"
)

// Source is the rows that an index is built of. They are read front to back, more than once. A source may also have a
// method ID() string that distinguishes its rows from others, by which a build that was killed knows that it goes on
// with those that it began with; otherwise a checksum of all rows does.
type Source interface {
	Rows() int
	Dim() int
	Type() vector.Type // Float32, Float16, Int8 or Uint8
	// Blocks calls fn with all rows in order, first being the number of a block's first row. A block isn't valid after fn.
	Blocks(ctx context.Context, fn func(first int, rows vector.Matrix) error) error
}

// MatrixSource makes a source of rows in memory; id is their ID, to which the checksum of a sample is added.
func MatrixSource(rows vector.Matrix, id string) Source { return matrixSource{rows, id} }

type matrixSource struct {
	vector.Matrix
	id string
}

// InMemory returns the rows of a source that is a matrix.
func InMemory(src Source) (rows vector.Matrix, ok bool) {
	switch s := src.(type) {
	case vector.Matrix:
		return s, true
	case matrixSource:
		return s.Matrix, true
	}
	return vector.Matrix{}, false
}

// ID returns the matrix's id and a checksum of rows at places spread over all, the first and the last among them.
func (s matrixSource) ID() string { return s.id + " " + SampleSum(s.Matrix) }

// SampleSum returns a checksum of rows at places spread over all, the first and the last among them.
func SampleSum(rows vector.Matrix) string {
	const places = 64
	sum, n := uint32(0), min(places, rows.Rows())
	for i := range n {
		row := rows.Rows() - 1
		if i < n-1 {
			row = spread{n, rows.Rows()}.at(i)
		}
		sum = crc32.Update(sum, crc32.MakeTable(crc32.Castagnoli), rows.RowBytes(row))
	}
	return fmt.Sprintf("%08x", sum)
}

// idOf returns what distinguishes the source's rows from others.
func idOf(ctx context.Context, src Source) (string, error) {
	if s, ok := src.(interface{ ID() string }); ok {
		return s.ID(), nil
	}
	h := sha256.New()
	err := src.Blocks(ctx, func(_ int, rows vector.Matrix) error {
		for i := range rows.Rows() {
			h.Write(rows.RowBytes(i))
		}
		return nil
	})
	return fmt.Sprintf("sha256 %x", h.Sum(nil)), err
}

// Sample takes n rows, or all if there are fewer, from places spread over the source, as float32. Of a matrix it
// returns all rows, as they are.
func Sample(ctx context.Context, src Source, n int) (vector.Matrix, error) {
	if rows, ok := InMemory(src); ok {
		return rows, nil
	}
	n = min(n, src.Rows())
	dim, taken := src.Dim(), 0
	data, places := make([]float32, n*dim), spread{n, src.Rows()}
	err := src.Blocks(ctx, func(first int, rows vector.Matrix) error {
		for ; taken < n && places.at(taken) < first+rows.Rows(); taken++ {
			rows.Decode(places.at(taken)-first, data[taken*dim:(taken+1)*dim])
		}
		return nil
	})
	if err != nil {
		return vector.Matrix{}, err
	}
	return vector.Of(data[:taken*dim], dim)
}

// spread picks n of all numbers from 0, evenly.
type spread struct{ n, all int }

// at returns the i-th of the numbers picked.
func (s spread) at(i int) int { return int(int64(i) * int64(s.all) / int64(s.n)) }

// pick calls fn with each row picked, as float32, in order; i counts them from 0. It refuses rows that the metric can't
// compare.
func (s spread) pick(ctx context.Context, src Source, metric vector.Metric, fn func(i int, row []float32) error) error {
	next, row := 0, make([]float32, src.Dim())
	err := src.Blocks(ctx, func(first int, rows vector.Matrix) error {
		for next < s.n && s.at(next) < first+rows.Rows() {
			rows.Decode(s.at(next)-first, row)
			if err := score.Check(metric, row); err != nil {
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
