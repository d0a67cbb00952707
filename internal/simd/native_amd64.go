//go:build !purego

package simd

import "golang.org/x/sys/cpu"

func native() []*Kernels {
	var sets []*Kernels
	x := &cpu.X86
	if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VL && x.HasAVX512DQ {
		sets = append(sets, avx512())
	}
	if x.HasAVX2 && x.HasFMA && x.HasF16C {
		sets = append(sets, avx2())
	}
	return sets
}

func avx512() *Kernels {
	k := generic
	k.Name = "avx512"
	k.L2F32, k.DotF32 = l2F32AVX512, dotF32AVX512
	k.BatchL2F32, k.BatchIPF32 = batchL2F32AVX512, batchIPF32AVX512
	return &k
}

func avx2() *Kernels {
	k := generic
	k.Name = "avx2"
	k.L2F32, k.DotF32 = l2F32AVX2, dotF32AVX2
	k.BatchL2F32, k.BatchIPF32 = batchL2F32AVX2, batchIPF32AVX2
	return &k
}
