package simd

import "unsafe"

// generic is the plain Go truth that every other level is tested against.
var generic = Kernels{
	Name:       "generic",
	L2F32:      l2F32Generic,
	DotF32:     dotF32Generic,
	L2F16:      l2F16Generic,
	DotF16:     dotF16Generic,
	L2SQ8:      l2SQ8Generic,
	DotSQ8:     dotSQ8Generic,
	L2I8:       l2Generic[int8],
	DotI8:      dotGeneric[int8],
	L2U8:       l2Generic[uint8],
	DotU8:      dotGeneric[uint8],
	BatchL2F32: batchL2(l2F32Generic),
	BatchIPF32: batchIP(dotF32Generic),
	BatchL2F16: batchL2(l2F16Generic),
	BatchIPF16: batchIP(dotF16Generic),
	BatchL2SQ8: batchL2(l2SQ8Generic),
	BatchIPSQ8: batchIP(dotSQ8Generic),
	BatchL2I8:  batchL2(l2Generic[int8]),
	BatchIPI8:  batchIP(dotGeneric[int8]),
	BatchL2U8:  batchL2(l2Generic[uint8]),
	BatchIPU8:  batchIP(dotGeneric[uint8]),
	Codes:      codesGeneric,
	Hadamard:   hadamardGeneric,
	DecodeF16:  decodeF16Generic,
	DecodeSQ8:  decodeSQ8Generic,
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

// batchL2 makes a batch kernel of a pair kernel for the squared Euclidean distance.
func batchL2[T float32 | int32](pair func(a, b unsafe.Pointer, dim int) T) Batch {
	return func(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32) {
		for i, id := range ids {
			out[i] = float32(pair(query, row(base, id, stride), dim))
		}
	}
}

// batchIP makes a batch kernel of a pair kernel for the inner product.
func batchIP[T float32 | int32](pair func(a, b unsafe.Pointer, dim int) T) Batch {
	return func(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32) {
		for i, id := range ids {
			out[i] = float32(1 - pair(query, row(base, id, stride), dim))
		}
	}
}

func row(base unsafe.Pointer, id uint32, stride uintptr) unsafe.Pointer {
	return unsafe.Add(base, uintptr(id)*stride)
}
