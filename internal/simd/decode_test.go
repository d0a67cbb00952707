//go:build unix

package simd

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// halfBits is the float32 that a half stands for; a signalling NaN becomes quiet.
func halfBits(h uint16) uint32 {
	if h&0x7fff > 0x7c00 {
		return uint32(h&0x8000)<<16 | 0x7fc00000 | uint32(h&0x3ff)<<13
	}
	magnitude := float16At(binary.NativeEndian.AppendUint16(nil, h&0x7fff))
	return uint32(h&0x8000)<<16 | math.Float32bits(float32(magnitude))
}

func TestDecodeF16OfEveryHalf(t *testing.T) {
	src, dst := make([]uint16, 1<<16), make([]float32, 1<<16)
	for i := range src {
		src[i] = uint16(i)
	}
	for _, set := range tested() {
		for _, chunk := range []int{1, 7, 1 << 16} {
			clear(dst)
			for at := 0; at < len(src); at += chunk {
				set.DecodeF16(&dst[at], &src[at], min(chunk, len(src)-at))
			}
			for i, v := range dst {
				if got, want := math.Float32bits(v), halfBits(uint16(i)); got != want {
					t.Fatalf("%s: float16 %#04x reads as %#08x, not %#08x", set.Name, i, got, want)
				}
			}
		}
	}
}

func TestDecodeF16(t *testing.T) {
	const most = 300
	rng := rand.New(rand.NewPCG(19, 20))
	from, to := newGuarded(t, 2*most), newGuarded(t, 4*most)
	for n := 0; n <= most; n++ {
		srcs, dsts := from.places(2*n), to.places(4*n)
		for i := range dsts {
			src, dst := srcs[(i+n)%len(srcs)], dsts[i]
			fill(rng, src, 2)
			for _, set := range tested() {
				clear(dst)
				set.DecodeF16((*float32)(pointer(dst)), (*uint16)(pointer(src)), n)
				for i := range n {
					got, want := binary.NativeEndian.Uint32(dst[4*i:]), halfBits(binary.NativeEndian.Uint16(src[2*i:]))
					if got != want {
						t.Fatalf("%s: value %d of %d is %#08x, not %#08x", set.Name, i, n, got, want)
					}
				}
			}
		}
	}
}

// TestShortDecodes leaves alone what lies behind the results.
func TestShortDecodes(t *testing.T) {
	src, dst := make([]uint16, 200), make([]float32, 200)
	for _, set := range tested() {
		for n := range 150 {
			for i := range dst {
				dst[i] = -7
			}
			set.DecodeF16(&dst[0], &src[0], n)
			for i, v := range dst {
				if (v == -7) != (i >= n) {
					t.Fatalf("%s: value %d of %d is %g", set.Name, i, n, v)
				}
			}
		}
	}
}

func TestDecodeI8(t *testing.T) {
	const most = 300
	rng := rand.New(rand.NewPCG(21, 22))
	from, to := newGuarded(t, most), newGuarded(t, 4*most)
	scales := []float32{1, 0.0123, 0, 1e-45, 1e38, float32(math.Inf(1)), float32(math.NaN())}
	for n := 1; n <= most; n++ {
		srcs, dsts := from.places(n), to.places(4*n)
		for i := range dsts {
			src, dst, scale := srcs[(i+n)%len(srcs)], dsts[i], scales[(i+n)%len(scales)]
			fill(rng, src, 1)
			want := make([]float32, n)
			decodeI8Generic(&want[0], (*int8)(unsafe.Pointer(&src[0])), n, scale)
			for _, set := range tested() {
				clear(dst)
				set.DecodeI8((*float32)(unsafe.Pointer(&dst[0])), (*int8)(unsafe.Pointer(&src[0])), n, scale)
				for j, w := range want {
					got := math.Float32frombits(binary.NativeEndian.Uint32(dst[4*j:]))
					if got != w && !(got != got && w != w) {
						t.Fatalf("%s: byte %d of %d, %d × %v, reads as %v, not %v", set.Name, j, n, int8(src[j]), scale, got, w)
					}
				}
			}
		}
	}
}
