// Package floats checks float32 values and converts them to and from half precision.
package floats

import "math"

// FromHalf converts an IEEE 754 half to float32. The conversion is exact.
func FromHalf(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp, frac := uint32(h>>10)&0x1f, uint32(h&0x3ff)
	switch exp {
	case 0x1f:
		if frac != 0 {
			frac |= 0x200 // a signalling NaN becomes quiet, as the hardware's conversion does
		}
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	case 0:
		v := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(sign | math.Float32bits(v))
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// ToHalf converts to IEEE 754 half precision, rounding to nearest and ties to even. Values that are too large become
// infinite.
func ToHalf(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b>>16) & 0x8000
	abs := b & 0x7fffffff
	switch {
	case abs > 0x7f800000:
		return sign | 0x7e00 | uint16(abs>>13)&0x3ff
	case abs >= 0x477ff000: // 65,520 and above round past the largest half
		return sign | 0x7c00
	case abs < 0x38800000: // below the smallest normal half: a multiple of 2⁻²⁴
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(abs))*(1<<24)))
	}
	abs -= 112 << 23
	return sign | uint16((abs+0xfff+(abs>>13)&1)>>13)
}
