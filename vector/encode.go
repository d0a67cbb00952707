package vector

import (
	"fmt"
	"unsafe"
)

// Encode stores src (Dim values, finite) as row i of a matrix of floats or of ScaledInt8. Of NoRows it stores nothing.
//
// Index rows may be rewritten while assembly reads them; the index's epoch makes such readers look again. The race
// detector, which sees the plain Go kernels only, is told so by the directive.
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
			row[j] = FloatToHalf(v)
		}
	case ScaledInt8:
		encodeScaled(m.RowBytes(i), src)
	case NoRows, External:
	default:
		panic(fmt.Sprintf("vector: rows of %s can't be rewritten", m.typ))
	}
}

// Move copies row from to row to, under the same rule.
//
//go:norace
func (m Matrix) Move(to, from int) { copy(m.RowBytes(to), m.RowBytes(from)) }

// encodeScaled writes the row of ScaledInt8 that stands for src.
//
//go:norace
func encodeScaled(row []byte, src []float32) {
	scale, inverse := scaleOf(src)
	values := unsafe.Slice((*int8)(unsafe.Pointer(&row[0])), len(src))
	for i, v := range src {
		values[i] = roundScaled(float64(v) * inverse)
	}
	*(*float32)(unsafe.Pointer(&row[scaleAt(len(src))])) = scale
}
