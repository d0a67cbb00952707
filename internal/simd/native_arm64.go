//go:build !purego

package simd

import "unsafe"

func native() []*Kernels { return []*Kernels{&neon} }

var neon = Kernels{
	Name:       "neon",
	L2F32:      l2F32NEON,
	DotF32:     dotF32NEON,
	L2F16:      l2F16NEON,
	DotF16:     dotF16NEON,
	L2SQ8:      l2SQ8NEON,
	DotSQ8:     dotSQ8NEON,
	L2I8:       l2I8NEON,
	DotI8:      dotI8NEON,
	L2U8:       l2U8NEON,
	DotU8:      dotU8NEON,
	BatchL2F32: batchL2F32NEON,
	BatchIPF32: batchIPF32NEON,
	BatchL2F16: batchL2F16NEON,
	BatchIPF16: batchIPF16NEON,
	BatchL2SQ8: batchL2SQ8NEON,
	BatchIPSQ8: batchIPSQ8NEON,
	BatchL2I8:  batchL2I8NEON,
	BatchIPI8:  batchIPI8NEON,
	BatchL2U8:  batchL2U8NEON,
	BatchIPU8:  batchIPU8NEON,
	Codes:      [9]CodeBatch{1: codes1NEON, 2: codes2NEON, 3: codes3NEON, 4: codes4NEON, 8: codes8NEON},
	Hadamard:   hadamardOf(hadamardNEON, 8, 4096),
	DecodeF16:  decodeF16NEON,
	DecodeSQ8:  decodeSQ8NEON,
	Round:      roundGeneric,
	Tables:     tablesGeneric,
	Ranges:     rangesGeneric,
	TableBytes: tableBytesGeneric,
	LookUps:    lookUpsGeneric,
	Nearest:    nearestGeneric,
	NearKeys:   nearKeysGeneric,
	SortKeys:   sortKeysGeneric,
	PlaceKeys:  placeKeysGeneric,
	MergeKeys:  mergeKeysGeneric,
}

// Prefetch asks for the cache lines of n bytes at p.
//
//go:noescape
func Prefetch(p unsafe.Pointer, n int)

// PrefetchRows asks for the cache lines of the first size bytes of the rows base + ids[i]*stride.
//
//go:noescape
func PrefetchRows(base unsafe.Pointer, stride uintptr, size int, ids []uint32)

//go:noescape
func l2F32NEON(a, b unsafe.Pointer, dim int) float32

//go:noescape
func dotF32NEON(a, b unsafe.Pointer, dim int) float32

//go:noescape
func batchL2F32NEON(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)

//go:noescape
func batchIPF32NEON(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)

//go:noescape
func l2F16NEON(a, b unsafe.Pointer, dim int) float32

//go:noescape
func dotF16NEON(a, b unsafe.Pointer, dim int) float32

//go:noescape
func batchL2F16NEON(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)

//go:noescape
func batchIPF16NEON(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)

//go:noescape
func l2SQ8NEON(a, b unsafe.Pointer, dim int) float32

//go:noescape
func dotSQ8NEON(a, b unsafe.Pointer, dim int) float32

//go:noescape
func batchL2SQ8NEON(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)

//go:noescape
func batchIPSQ8NEON(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)

//go:noescape
func l2I8NEON(a, b unsafe.Pointer, dim int) int32

//go:noescape
func dotI8NEON(a, b unsafe.Pointer, dim int) int32

//go:noescape
func batchL2I8NEON(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)

//go:noescape
func batchIPI8NEON(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)

//go:noescape
func l2U8NEON(a, b unsafe.Pointer, dim int) int32

//go:noescape
func dotU8NEON(a, b unsafe.Pointer, dim int) int32

//go:noescape
func batchL2U8NEON(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)

//go:noescape
func batchIPU8NEON(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)

//go:noescape
func codes1NEON(q *CodeQuery, base unsafe.Pointer, stride uintptr, ids []uint32, out []float32)

//go:noescape
func codes2NEON(q *CodeQuery, base unsafe.Pointer, stride uintptr, ids []uint32, out []float32)

//go:noescape
func codes3NEON(q *CodeQuery, base unsafe.Pointer, stride uintptr, ids []uint32, out []float32)

//go:noescape
func codes4NEON(q *CodeQuery, base unsafe.Pointer, stride uintptr, ids []uint32, out []float32)

//go:noescape
func codes8NEON(q *CodeQuery, base unsafe.Pointer, stride uintptr, ids []uint32, out []float32)

//go:noescape
func hadamardNEON(x, signs *float32, n int)

//go:noescape
func decodeF16NEON(dst *float32, src *uint16, n int)

//go:noescape
func decodeSQ8NEON(dst *float32, row unsafe.Pointer, n int)
