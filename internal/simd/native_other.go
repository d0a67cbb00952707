//go:build purego || !(amd64 || arm64)

package simd

import "unsafe"

func native() []*Kernels { return nil }

// Prefetch asks for the cache lines of n bytes at p.
func Prefetch(unsafe.Pointer, int) {}

// PrefetchRows does nothing where there is no assembly for it.
func PrefetchRows(unsafe.Pointer, uintptr, int, []uint32) {}
