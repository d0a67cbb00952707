//go:build !purego

package simd

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

func native() []*Kernels {
	var sets []*Kernels
	x := &cpu.X86
	if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VL && x.HasAVX512DQ {
		set := avx512
		if x.HasAVX512VNNI {
			set = withVNNI(set)
		}
		sets = append(sets, &set)
	}
	if x.HasAVX2 && x.HasFMA && x.HasF16C {
		sets = append(sets, &avx2)
	}
	return sets
}

var avx512 = Kernels{
	Name:       "avx512",
	L2F32:      l2F32AVX512,
	DotF32:     dotF32AVX512,
	L2F16:      l2F16AVX512,
	DotF16:     dotF16AVX512,
	L2SQ8:      l2SQ8AVX512,
	DotSQ8:     dotSQ8AVX512,
	L2I8:       l2I8AVX512,
	DotI8:      dotI8AVX512,
	L2U8:       l2U8AVX512,
	DotU8:      dotU8AVX512,
	BatchL2F32: batchL2F32AVX512,
	BatchIPF32: batchIPF32AVX512,
	BatchL2F16: batchL2F16AVX512,
	BatchIPF16: batchIPF16AVX512,
	BatchL2SQ8: batchL2SQ8AVX512,
	BatchIPSQ8: batchIPSQ8AVX512,
	BatchL2I8:  batchL2I8AVX512,
	BatchIPI8:  batchIPI8AVX512,
	BatchL2U8:  batchL2U8AVX512,
	BatchIPU8:  batchIPU8AVX512,
	Codes:      codesAVX2,
	Hadamard:   hadamardOf(hadamardAVX512, 16, 4096),
	DecodeF16:  decodeF16AVX512,
	DecodeSQ8:  decodeSQ8AVX512,
	Round:      roundBy8,
	Tables:     tablesAVX512,
	Ranges:     rangesAVX512,
	TableBytes: tableBytesAVX512,
	LookUps:    [9]LookUpBatch{4: lookUp4AVX512, 8: lookUp8AMD64},
	Nearest:    nearestAVX512,
	NearKeys:   nearKeysAVX512,
	SortKeys:   sortKeysUpTo64,
	PlaceKeys:  placeKeysAVX512,
	MergeKeys:  mergeKeysAVX512,
}

// withVNNI puts the integer kernels in place that need the dot-product instructions.
func withVNNI(k Kernels) Kernels {
	k.L2I8, k.DotI8 = l2I8VNNI, dotI8VNNI
	k.L2U8, k.DotU8 = l2U8VNNI, dotU8VNNI
	k.BatchL2I8, k.BatchIPI8 = batchL2I8VNNI, batchIPI8VNNI
	k.BatchL2U8, k.BatchIPU8 = batchL2U8VNNI, batchIPU8VNNI
	k.Codes = [9]CodeBatch{1: codes1VNNI, 2: codes2VNNI, 3: codes3VNNI, 4: codes4VNNI, 8: codes8VNNI}
	return k
}

var avx2 = Kernels{
	Name:       "avx2",
	L2F32:      l2F32AVX2,
	DotF32:     dotF32AVX2,
	L2F16:      l2F16AVX2,
	DotF16:     dotF16AVX2,
	L2SQ8:      l2SQ8AVX2,
	DotSQ8:     dotSQ8AVX2,
	L2I8:       l2I8AVX2,
	DotI8:      dotI8AVX2,
	L2U8:       l2U8AVX2,
	DotU8:      dotU8AVX2,
	BatchL2F32: batchL2F32AVX2,
	BatchIPF32: batchIPF32AVX2,
	BatchL2F16: batchL2F16AVX2,
	BatchIPF16: batchIPF16AVX2,
	BatchL2SQ8: batchL2SQ8AVX2,
	BatchIPSQ8: batchIPSQ8AVX2,
	BatchL2I8:  batchL2I8AVX2,
	BatchIPI8:  batchIPI8AVX2,
	BatchL2U8:  batchL2U8AVX2,
	BatchIPU8:  batchIPU8AVX2,
	Codes:      codesAVX2,
	Hadamard:   hadamardOf(hadamardAVX2, 8, 4096),
	DecodeF16:  decodeF16AVX2,
	DecodeSQ8:  decodeSQ8AVX2,
	Round:      roundBy8,
	Tables:     tablesAVX2,
	Ranges:     rangesAVX2,
	TableBytes: tableBytesAVX2,
	LookUps:    [9]LookUpBatch{4: lookUp4Generic, 8: lookUp8AMD64},
	Nearest:    nearestAVX2,
	NearKeys:   nearKeysGeneric,
	SortKeys:   sortKeysGeneric,
	PlaceKeys:  placeKeysGeneric,
	MergeKeys:  mergeKeysGeneric,
}

var codesAVX2 = [9]CodeBatch{1: codes1AVX2, 2: codes2AVX2, 3: codes3AVX2, 4: codes4AVX2, 8: codes8AVX2}

// sortKeysUpTo64 counts for each key those below it, which pays for few keys only.
func sortKeysUpTo64(dst, src *uint64, n int) {
	if n > 64 {
		sortKeysGeneric(dst, src, n)
		return
	}
	sortKeysAVX512(dst, src, n)
}

func roundBy8(dst *int8, v *float32, n int, inv, step float32) int {
	whole, sum := n&^7, 0
	if whole > 0 {
		sum = roundAVX2(dst, v, whole, inv, step)
	}
	if whole == n {
		return sum
	}
	restOf, rest := unsafe.Add(unsafe.Pointer(dst), whole), unsafe.Add(unsafe.Pointer(v), 4*whole)
	return sum + roundGeneric((*int8)(restOf), (*float32)(rest), n-whole, inv, step)
}
