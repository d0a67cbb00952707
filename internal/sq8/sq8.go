// Package sq8 stores vectors as scaled bytes: an int8 a value and, at the next multiple of 4 bytes, a float32 scale
// that multiplies all of them.
package sq8

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// Align is the alignment of a row in bytes.
const Align = 4

// top is the largest magnitude of an element. −128 isn't used, so that the range is symmetric.
const top = 127

// maxScale is the largest scale whose product with 127 is a finite float32.
var maxScale = largestScale()

func largestScale() float32 {
	s := float32(math.MaxFloat32 / top)
	for math.IsInf(float64(s*top), 0) {
		s = math.Nextafter32(s, 0)
	}
	return s
}

// RowSize returns the bytes of a row of dim values.
func RowSize(dim int) int { return scaleAt(dim) + Align }

// scaleAt returns the offset of the scale in a row.
func scaleAt(dim int) int { return (dim + Align - 1) &^ (Align - 1) }

// Encode writes src, which is finite, to row. Rows may be rewritten while kernels read them; the index's epoch makes
// such readers read again. The directive keeps the race detector, which sees only the plain Go kernels, from reporting
// that.
//
//go:norace
func Encode(row []byte, src []float32) {
	scale, inverse := scaleOf(src)
	values := unsafe.Slice((*int8)(unsafe.Pointer(&row[0])), len(src))
	for i, v := range src {
		values[i] = round(float64(v) * inverse)
	}
	*(*float32)(unsafe.Pointer(&row[scaleAt(len(src))])) = scale
}

// scaleOf returns the scale that spreads the values over −127 … 127, and its inverse. Both are 0 if all values are
// zero or would be rounded to zero by the smallest scale.
func scaleOf(v []float32) (scale float32, inverse float64) {
	var largest float32
	for _, x := range v {
		largest = max(largest, x, -x)
	}
	scale = min(largest/top, maxScale)
	if scale == 0 {
		return 0, 0
	}
	return scale, 1 / float64(scale)
}

// round rounds to the nearest element, ties to even. Scales near zero are coarse, so a quotient may be out of range.
func round(v float64) int8 {
	return int8(math.RoundToEven(max(-top, min(v, top))))
}

// Sound reports whether a row of dim values has a scale that Encode may have written: it isn't negative, and the row
// decodes to finite values.
func Sound(row []byte, dim int) bool {
	s := math.Float32frombits(binary.LittleEndian.Uint32(row[scaleAt(dim):]))
	return s >= 0 && s <= maxScale // NaN is neither
}
