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
			checkShort(t, set, dst, n)
			set.DecodeSQ8(&dst[0], unsafe.Pointer(&src[0]), n)
			checkShort(t, set, dst, n)
		}
	}
}

// checkShort tests that n zeros were written, and makes dst what it was before.
func checkShort(t *testing.T, set *Kernels, dst []float32, n int) {
	t.Helper()
	for i, v := range dst {
		if (v == -7) != (i >= n) {
			t.Fatalf("%s: value %d of %d is %g", set.Name, i, n, v)
		}
		dst[i] = -7
	}
}

func TestDecodeSQ8(t *testing.T) {
	const most = 300
	k := kinds[2]
	rng := rand.New(rand.NewPCG(21, 22))
	from, to := newGuarded(t, k.size(most)), newGuarded(t, 4*most)
	for n := 0; n <= most; n++ {
		srcs, dsts := from.places(k.size(n)), to.places(4*n)
		for i := range dsts {
			src, dst := srcs[(i+n)%len(srcs)], dsts[i]
			k.fillRow(rng, src, n)
			for _, set := range tested() {
				clear(dst)
				set.DecodeSQ8((*float32)(pointer(dst)), pointer(src), n)
				for i := range n {
					if got, want := float32At(dst[4*i:]), k.value(src, i, n); got != want {
						t.Fatalf("%s: value %d of %d is %g, not %g", set.Name, i, n, got, want)
					}
				}
			}
		}
	}
}
