//go:build !purego

package simd

import "golang.org/x/sys/cpu"

// tested are the levels of this machine and, where one has two sets of integer kernels, the other too.
func tested() []*Kernels {
	sets := levels()
	if sets[0].Name == avx512.Name && cpu.X86.HasAVX512VNNI {
		plain := avx512
		plain.Name = "avx512-without-vnni"
		sets = append(sets, &plain)
	}
	return sets
}
