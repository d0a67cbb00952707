package simd

import "unsafe"

// generic is the plain Go truth that every other level is tested against.
var generic = Kernels{
	Name:       "generic",
	L2F32:      l2F32Generic,
	DotF32:     dotF32Generic,
	BatchL2F32: batchOf(l2F32Generic, 4, 0, 1),
	BatchIPF32: batchOf(dotF32Generic, 4, 1, -1),
}

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

func batchOf(pair func(a, b unsafe.Pointer, dim int) float32, _ int, bias, sign float32) Batch {
	return func(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32) {
		for i, id := range ids {
			out[i] = bias + sign*pair(query, unsafe.Add(base, uintptr(id)*stride), dim)
		}
	}
}
