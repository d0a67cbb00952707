package simd

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// kind is an element type: how to read it, to fill it and which kernels take it.
type kind struct {
	name       string
	query, row int // bytes an element
	exact      bool
	scaled     bool                 // a row ends with a scale
	asQuery    func([]byte) float64 // the value of the first element
	asRow      func([]byte) float64
	l2, dot    func(*Kernels) func(q, r unsafe.Pointer, dim int) float64
	batchL2    func(*Kernels) Batch
	batchIP    func(*Kernels) Batch
}

var kinds = []kind{
	{
		name: "f32", query: 4, row: 4, asQuery: float32At, asRow: float32At,
		l2:      func(k *Kernels) func(q, r unsafe.Pointer, dim int) float64 { return widened(k.L2F32) },
		dot:     func(k *Kernels) func(q, r unsafe.Pointer, dim int) float64 { return widened(k.DotF32) },
		batchL2: func(k *Kernels) Batch { return k.BatchL2F32 },
		batchIP: func(k *Kernels) Batch { return k.BatchIPF32 },
	},
	{
		name: "f16", query: 4, row: 2, asQuery: float32At, asRow: float16At,
		l2:      func(k *Kernels) func(q, r unsafe.Pointer, dim int) float64 { return widened(k.L2F16) },
		dot:     func(k *Kernels) func(q, r unsafe.Pointer, dim int) float64 { return widened(k.DotF16) },
		batchL2: func(k *Kernels) Batch { return k.BatchL2F16 },
		batchIP: func(k *Kernels) Batch { return k.BatchIPF16 },
	},
	{
		name: "sq8", query: 4, row: 1, scaled: true, asQuery: float32At, asRow: int8At,
		l2:      func(k *Kernels) func(q, r unsafe.Pointer, dim int) float64 { return widened(k.L2SQ8) },
		dot:     func(k *Kernels) func(q, r unsafe.Pointer, dim int) float64 { return widened(k.DotSQ8) },
		batchL2: func(k *Kernels) Batch { return k.BatchL2SQ8 },
		batchIP: func(k *Kernels) Batch { return k.BatchIPSQ8 },
	},
	{
		name: "i8", query: 1, row: 1, exact: true, asQuery: int8At, asRow: int8At,
		l2:      func(k *Kernels) func(q, r unsafe.Pointer, dim int) float64 { return widened(k.L2I8) },
		dot:     func(k *Kernels) func(q, r unsafe.Pointer, dim int) float64 { return widened(k.DotI8) },
		batchL2: func(k *Kernels) Batch { return k.BatchL2I8 },
		batchIP: func(k *Kernels) Batch { return k.BatchIPI8 },
	},
	{
		name: "u8", query: 1, row: 1, exact: true, asQuery: uint8At, asRow: uint8At,
		l2:      func(k *Kernels) func(q, r unsafe.Pointer, dim int) float64 { return widened(k.L2U8) },
		dot:     func(k *Kernels) func(q, r unsafe.Pointer, dim int) float64 { return widened(k.DotU8) },
		batchL2: func(k *Kernels) Batch { return k.BatchL2U8 },
		batchIP: func(k *Kernels) Batch { return k.BatchIPU8 },
	},
}

// size is the bytes of a row of dim elements.
func (k kind) size(dim int) int {
	if k.scaled {
		return scaleOf(dim) + 4
	}
	return dim * k.row
}

// scaleOf is where the scale of a row of dim bytes lies.
func scaleOf(dim int) int { return (dim + 3) / 4 * 4 }

// value is element i of a row of dim elements.
func (k kind) value(r []byte, i, dim int) float64 {
	v := k.asRow(r[i*k.row:])
	if k.scaled {
		v = float64(float32(v * float32At(r[scaleOf(dim):]))) // kernels round the product
	}
	return v
}

// fillRow writes ordinary random values and, where rows have one, a scale.
func (k kind) fillRow(rng *rand.Rand, r []byte, dim int) {
	fill(rng, r[:dim*k.row], k.row)
	if k.scaled {
		putScale(r, dim, float32(rng.Float64())/32)
	}
}

func putScale(r []byte, dim int, scale float32) {
	binary.NativeEndian.PutUint32(r[scaleOf(dim):], math.Float32bits(scale))
}

func widened[T float32 | int32](f func(q, r unsafe.Pointer, dim int) T) func(q, r unsafe.Pointer, dim int) float64 {
	return func(q, r unsafe.Pointer, dim int) float64 { return float64(f(q, r, dim)) }
}

func float32At(b []byte) float64 {
	return float64(math.Float32frombits(binary.NativeEndian.Uint32(b)))
}

func float16At(b []byte) float64 {
	h := binary.NativeEndian.Uint16(b)
	exponent, fraction := int(h>>10&31), float64(h&1023)
	var v float64
	switch {
	case exponent == 31 && fraction != 0:
		return math.NaN()
	case exponent == 31:
		v = math.Inf(1)
	case exponent == 0:
		v = math.Ldexp(fraction, -24)
	default:
		v = math.Ldexp(1024+fraction, exponent-25)
	}
	if h>>15 == 1 {
		return -v
	}
	return v
}

func int8At(b []byte) float64  { return float64(int8(b[0])) }
func uint8At(b []byte) float64 { return float64(b[0]) }

// fill writes ordinary random values of size bytes each.
func fill(rng *rand.Rand, b []byte, size int) {
	for ; len(b) >= size; b = b[size:] {
		switch size {
		case 4:
			binary.NativeEndian.PutUint32(b, math.Float32bits(float32(rng.NormFloat64())))
		case 2: // between 2^-8 and 2^2, of either sign
			binary.NativeEndian.PutUint16(b, uint16(rng.IntN(2)<<15|(7+rng.IntN(10))<<10|rng.IntN(1024)))
		default:
			b[0] = byte(rng.IntN(256))
		}
	}
}

// truth is what a query and a row should give.
type truth struct {
	l2, dot float64
	scale   float64 // of the rounding errors of dot: the sum of the magnitudes of its terms
	clash   bool    // terms of both signs leave the range of float32: the order of additions, which is free, decides
}

func (k kind) truth(q, r []byte, dim int) truth {
	var t truth
	var positive, negative float64
	for i := range dim {
		x, y := k.asQuery(q[i*k.query:]), k.value(r, i, dim)
		t.l2 += (x - y) * (x - y)
		t.dot += x * y
		positive += max(x*y, 0)
		negative -= min(x*y, 0)
	}
	t.scale = positive + negative
	t.clash = !math.IsInf(t.scale, 0) && max(positive, negative) > math.MaxFloat32/2 &&
		min(positive, negative) > math.MaxFloat32/1e9
	return t
}

// check compares a result with the true one.
func (k kind) check(t testing.TB, what string, got, want, scale float64, dim int) {
	t.Helper()
	bound := 0.0
	if !k.exact {
		bound = float64(dim+8)*0x1p-24*scale + float64(dim+1)*0x1p-149
	}
	var ok bool
	switch {
	case math.IsNaN(want):
		ok = math.IsNaN(got)
	case math.IsInf(want, 0):
		ok = got == want
	case math.Abs(want) > math.MaxFloat32*1.001:
		ok = math.IsInf(got, int(math.Copysign(1, want)))
	case math.Abs(want) > math.MaxFloat32*0.999:
		ok = true
	default:
		ok = math.Abs(got-want) <= bound
	}
	if !ok {
		t.Fatalf("%s %s of %d elements: %g, want %g", k.name, what, dim, got, want)
	}
}

// rounded is the distance that a batch kernel should make of an exact result.
func (k kind) rounded(v float64) float64 {
	if k.exact {
		return float64(float32(v))
	}
	return v
}

func pointer(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

// checkPair runs both pair kernels and compares them with the truth.
func (k kind) checkPair(t testing.TB, set *Kernels, q, r []byte, dim int) {
	t.Helper()
	want := k.truth(q, r, dim)
	k.check(t, set.Name+" l2", k.l2(set)(pointer(q), pointer(r), dim), want.l2, want.l2, dim)
	if got := k.dot(set)(pointer(q), pointer(r), dim); !want.clash {
		k.check(t, set.Name+" dot", got, want.dot, want.scale, dim)
	}
}
