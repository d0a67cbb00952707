package simd

import "unsafe"

// scaledRow views a row of scaled bytes.
func scaledRow(row unsafe.Pointer, dim int) ([]int8, float32) {
	return unsafe.Slice((*int8)(row), dim), *(*float32)(unsafe.Add(row, (dim+3)&^3))
}

// The conversions of products keep compilers from computing them and the next step in one, without rounding.

func l2SQ8Generic(a, b unsafe.Pointer, dim int) float32 {
	x := unsafe.Slice((*float32)(a), dim)
	y, scale := scaledRow(b, dim)
	var sum float32
	for i, v := range x {
		d := v - float32(float32(y[i])*scale)
		sum += d * d
	}
	return sum
}

func dotSQ8Generic(a, b unsafe.Pointer, dim int) float32 {
	x := unsafe.Slice((*float32)(a), dim)
	y, scale := scaledRow(b, dim)
	var sum float32
	for i, v := range x {
		sum += v * float32(float32(y[i])*scale)
	}
	return sum
}

func decodeSQ8Generic(dst *float32, row unsafe.Pointer, n int) {
	to := unsafe.Slice(dst, n)
	values, scale := scaledRow(row, n)
	for i, v := range values {
		to[i] = float32(v) * scale
	}
}
