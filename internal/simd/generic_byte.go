package simd

import "unsafe"

func l2Generic[T int8 | uint8](a, b unsafe.Pointer, dim int) int32 {
	x, y := unsafe.Slice((*T)(a), dim), unsafe.Slice((*T)(b), dim)
	var sum int32
	for i, v := range x {
		d := int32(v) - int32(y[i])
		sum += d * d
	}
	return sum
}

func dotGeneric[T int8 | uint8](a, b unsafe.Pointer, dim int) int32 {
	x, y := unsafe.Slice((*T)(a), dim), unsafe.Slice((*T)(b), dim)
	var sum int32
	for i, v := range x {
		sum += int32(v) * int32(y[i])
	}
	return sum
}

func decodeI8Generic(dst *float32, src *int8, n int, scale float32) {
	to := unsafe.Slice(dst, n)
	for i, v := range unsafe.Slice(src, n) {
		to[i] = float32(v) * scale
	}
}
