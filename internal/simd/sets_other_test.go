//go:build purego || !amd64

package simd

func tested() []*Kernels { return levels() }
