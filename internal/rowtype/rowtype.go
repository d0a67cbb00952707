// Package rowtype has the types of rows that only an index keeps, and writes such rows.
package rowtype

import (
	"fmt"

	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/internal/sq8"
	"github.com/shale-search/shale/vector"
)

// The types of rows beside those that users have. ScaledInt8 is an int8 a value and a float32 scale a row, which
// multiplies all values and follows them at the next multiple of 4 bytes. NoRows and External are the types of rows
// that an index doesn't keep; those of External are stored somewhere else.
const (
	ScaledInt8 = vector.Uint8 + 1 + iota
	NoRows
	External
)

// Size returns the number of bytes of a row of dim elements.
func Size(t vector.Type, dim int) int {
	if t == ScaledInt8 {
		return sq8.RowSize(dim)
	}
	return dim * t.Size()
}

// Align returns the alignment of a row's address in bytes.
func Align(t vector.Type) int {
	if t == ScaledInt8 {
		return sq8.Align
	}
	return max(t.Size(), 1)
}

// Encode writes src, m.Dim() finite values, to row i of m, which is of Float32, Float16 or ScaledInt8. For NoRows and
// External it does nothing. For other types it panics.
//
// Rows of an index may be rewritten while assembly reads them; the index's epoch makes such readers read again. The
// directive keeps the race detector, which sees only the plain Go kernels, from reporting that.
//
//go:norace
func Encode(m vector.Matrix, i int, src []float32) {
	src = src[:m.Dim()]
	switch m.Type() {
	case vector.Float32:
		copy(vector.Row[float32](m, i), src)
	case vector.Float16:
		row := vector.Row[uint16](m, i)
		for j, v := range src {
			row[j] = floats.ToHalf(v)
		}
	case ScaledInt8:
		sq8.Encode(m.RowBytes(i), src)
	case NoRows, External:
	default:
		panic(fmt.Sprintf("vector: rows of %s can't be rewritten", m.Type()))
	}
}

// Move copies row from of m to row to.
//
//go:norace
func Move(m vector.Matrix, to, from int) { copy(m.RowBytes(to), m.RowBytes(from)) }
