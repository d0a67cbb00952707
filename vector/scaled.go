package vector

import (
	"encoding/binary"
	"math"
)

const (
	scaleSize = 4
	topScaled = 127 // largest magnitude of an element; −128 is not used, so that the range is symmetric
)

// maxScale is the largest scale whose product with 127 is a finite float32: 127/128 of what fits, rounded down.
var maxScale = largestScale()

func largestScale() float32 {
	s := float32(math.MaxFloat32 / topScaled)
	for math.IsInf(float64(s*topScaled), 0) {
		s = math.Nextafter32(s, 0)
	}
	return s
}

// scaleAt is the offset of the scale in a row of ScaledInt8: it is aligned for whoever reads it as a float32.
func scaleAt(dim int) int { return (dim + scaleSize - 1) &^ (scaleSize - 1) }

// scaleOf is the scale that spreads the values over −127 … 127, and its inverse. Both are 0 where no scale is, because
// all values are zero or round to it even at the smallest float32.
func scaleOf(v []float32) (scale float32, inverse float64) {
	var top float32
	for _, x := range v {
		top = max(top, x, -x)
	}
	scale = min(top/topScaled, maxScale)
	if scale == 0 {
		return 0, 0
	}
	return scale, 1 / float64(scale)
}

// roundScaled rounds to the nearest element, ties to even. Scales near zero are coarse, so that a quotient may lie
// outside the range.
func roundScaled(v float64) int8 {
	return int8(math.RoundToEven(max(-topScaled, min(v, topScaled))))
}

// SoundScale reports whether a row of ScaledInt8 (RowSize bytes, little-endian, dim elements) has a scale that Encode might
// have given it: not negative, and such that the row decodes to finite values.
func SoundScale(row []byte, dim int) bool {
	s := math.Float32frombits(binary.LittleEndian.Uint32(row[scaleAt(dim):]))
	return s >= 0 && s <= maxScale // NaN is neither
}
