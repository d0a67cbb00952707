package vector

import "fmt"

// Encode stores src (Dim values) as row i of a float matrix.
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
	default:
		panic(fmt.Sprintf("vector: rows of %s can't be rewritten", m.typ))
	}
}
