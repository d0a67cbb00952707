package vector

import (
	"fmt"

	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/internal/sq8"
)

// Encode writes src, Dim finite values, to row i of a matrix of Float32, Float16 or ScaledInt8. For NoRows and
// External it does nothing. For other types it panics.
//
// Rows of an index may be rewritten while assembly reads them; the index's epoch makes such readers read again. The
// directive keeps the race detector, which sees only the plain Go kernels, from reporting that.
//
//go:norace
func (m Matrix) Encode(i int, src []float32) {
	src = src[:m.dim]
	switch m.typ {
	case Float32:
		copy(Row[float32](m, i), src)
	case Float16:
		row := Row[uint16](m, i)
		for j, v := range src {
			row[j] = floats.ToHalf(v)
		}
	case ScaledInt8:
		sq8.Encode(m.RowBytes(i), src)
	case NoRows, External:
	default:
		panic(fmt.Sprintf("vector: rows of %s can't be rewritten", m.typ))
	}
}

// Move copies row from to row to.
//
//go:norace
func (m Matrix) Move(to, from int) { copy(m.RowBytes(to), m.RowBytes(from)) }
