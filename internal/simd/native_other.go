//go:build purego || !(amd64 || arm64)

package simd

import "unsafe"

func native() []*Kernels { return nil }

// Prefetch asks for the cache lines of n bytes at p.
func Prefetch(unsafe.Pointer, int) {}
