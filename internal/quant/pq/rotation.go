package pq

import (
	"unsafe"

	"github.com/shale-search/shale/internal/simd"
)

// rotate writes the rotation's rows times v to dst.
func rotate(dst, rotation, v []float32) {
	n := len(v)
	for i := range dst {
		dst[i] = simd.Active.DotF32(unsafe.Pointer(&rotation[i*n]), unsafe.Pointer(&v[0]), n)
	}
}

// rotateBack undoes rotate: an orthogonal matrix's inverse is its transpose.
func rotateBack(dst, rotation, v []float32) {
	clear(dst)
	for i, x := range v {
		for j, r := range rotation[i*len(v):][:len(dst)] {
			dst[j] += x * r
		}
	}
}
