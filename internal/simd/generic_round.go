package simd

import (
	"math"
	"unsafe"
)

func roundGeneric(dst *int8, v *float32, n int, inv, step float32) int {
	to, from := unsafe.Slice(dst, n), unsafe.Slice(v, n)
	sum := 0
	for i, x := range from {
		whole := nearest(x * inv)
		to[i] = int8(whole)
		sum += int(whole)
		off := float32(whole) * step
		from[i] = x - off
	}
	return sum
}

// nearest rounds to the nearest integer, halves to the even one, without a branch.
func nearest(v float32) int32 {
	const magic = 3 << 22 // pushes the fraction out of a float32's mantissa
	return int32(math.Float32bits(v+magic)&0x7fffff) - 1<<22
}
