// Package main is the C interface of Shale, a shared library that the Python package calls: see shale.h. entry.c has
// the functions that callers see; they refuse what is asked in a child of fork and else call the ones here.
package main

/*
#cgo CFLAGS: -O2 -fvisibility=hidden
#cgo windows LDFLAGS: -static-libgcc
#include "entry.h"
#include "shale.h"
*/
import "C"

import (
	"math"
	"unsafe"

	"github.com/shale-search/shale/vector"
)

func main() {}

// ptr returns p as an untyped pointer.
func ptr[T any](p *T) unsafe.Pointer { return unsafe.Pointer(p) }

// matrix views count rows of dim elements at p.
func matrix(p unsafe.Pointer, typ C.int32_t, count, dim C.int64_t) (vector.Matrix, error) {
	if count < 0 || dim < 1 || dim > math.MaxInt32 || count > math.MaxInt64/4/dim {
		return vector.Matrix{}, valueError("rows of shape %d × %d", int64(count), int64(dim))
	}
	switch typ {
	case C.SHALE_FLOAT32:
		return vector.Of(view[float32](p, count*dim), int(dim))
	case C.SHALE_FLOAT16:
		return vector.Of(view[uint16](p, count*dim), int(dim))
	}
	return vector.Matrix{}, valueError("rows of type %d", int(typ))
}

// view is n elements of T at p; the caller of the C interface vouches for them.
func view[T any](p unsafe.Pointer, n C.int64_t) []T {
	if p == nil || n <= 0 {
		return nil
	}
	return unsafe.Slice((*T)(p), int(n))
}
