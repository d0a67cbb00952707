package vector

import (
	"fmt"
	"math"
)

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
	case ScaledInt8:
		values, scale := m.scaled(i)
		*scale = scaleInt8(values, src)
	default:
		panic(fmt.Sprintf("vector: rows of %s can't be rewritten", m.typ))
	}
}

// scaleInt8 rounds src to multiples of the scale that it returns, the largest value to ±127 of them.
//
//go:norace
func scaleInt8(dst []int8, src []float32) (scale float32) {
	largest := float32(0)
	for _, v := range src {
		largest = max(largest, v, -v)
	}
	scale = largest / math.MaxInt8
	if math.IsInf(float64(scale*math.MaxInt8), 0) {
		scale = math.Nextafter32(scale, 0)
	}
	for i, v := range src {
		n := 0.0
		if scale > 0 {
			n = math.RoundToEven(float64(v) / float64(scale))
		}
		dst[i] = int8(min(max(n, -math.MaxInt8), math.MaxInt8)) // a denormal scale may be far from what it should be
	}
	return scale
}
