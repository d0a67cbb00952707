// Package main is the C interface of Shale, a shared library that the Python package calls: see shale.h. entry.c has the
// functions that callers see; they refuse what is asked in a child of fork and else call the ones here.
package main

/*
#cgo CFLAGS: -O2 -fvisibility=hidden
#include "entry.h"
*/
import "C"

import "unsafe"

func main() {}

// view is n elements of T at p; the caller of the C interface vouches for them.
func view[T any](p unsafe.Pointer, n C.int64_t) []T {
	if p == nil || n <= 0 {
		return nil
	}
	return unsafe.Slice((*T)(p), int(n))
}
