package simd

import (
	"math"
	"unsafe"
)

func l2F32Generic(a, b unsafe.Pointer, dim int) float32 {
	x, y := unsafe.Slice((*float32)(a), dim), unsafe.Slice((*float32)(b), dim)
	var sum float32
	for i, v := range x {
		d := v - y[i]
		sum += d * d
	}
	return sum
}

func dotF32Generic(a, b unsafe.Pointer, dim int) float32 {
	x, y := unsafe.Slice((*float32)(a), dim), unsafe.Slice((*float32)(b), dim)
	var sum float32
	for i, v := range x {
		sum += v * y[i]
	}
	return sum
}

func l2F16Generic(a, b unsafe.Pointer, dim int) float32 {
	x, y := unsafe.Slice((*float32)(a), dim), unsafe.Slice((*uint16)(b), dim)
	var sum float32
	for i, v := range x {
		d := v - float16(y[i])
		sum += d * d
	}
	return sum
}

func dotF16Generic(a, b unsafe.Pointer, dim int) float32 {
	x, y := unsafe.Slice((*float32)(a), dim), unsafe.Slice((*uint16)(b), dim)
	var sum float32
	for i, v := range x {
		sum += v * float16(y[i])
	}
	return sum
}

// float16 is the value of a half float. Shifted to where a float32 has its exponent and fraction, the bits stand for a
// number too small by the factor 2^112, which the multiplication makes good for subnormal numbers too.
func float16(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	bits := uint32(h&0x7fff) << 13
	switch {
	case bits > 0x7c00<<13: // a NaN becomes quiet, as in hardware
		return math.Float32frombits(sign | bits | 0xff<<23 | 1<<22)
	case bits == 0x7c00<<13:
		return math.Float32frombits(sign | 0xff<<23)
	}
	return math.Float32frombits(sign | math.Float32bits(math.Float32frombits(bits)*0x1p112))
}

func decodeF16Generic(dst *float32, src *uint16, n int) {
	to := unsafe.Slice(dst, n)
	for i, h := range unsafe.Slice(src, n) {
		to[i] = float16(h)
	}
}
