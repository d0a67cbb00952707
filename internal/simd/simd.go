// Package simd holds the distance kernels: a pair kernel (one query, one row) and a batch kernel (one query, many rows
// by id) for each metric and element type, batch kernels for rows of small codes, and routines that make such codes.
// Each exists in plain Go and in assembly. The package chooses the best level that the CPU supports once at start-up;
// the environment variable SHALE_SIMD (generic, avx2, avx512, neon) selects a lower one.
package simd

//go:generate go run -C gen . -elem prefetch
//go:generate go run -C gen . -elem f32
//go:generate go run -C gen . -elem f16
//go:generate go run -C gen . -elem sq8
//go:generate go run -C gen . -elem i8
//go:generate go run -C gen . -elem u8
//go:generate go run -C gen . -elem code
//go:generate go run -C gen . -elem hadamard
//go:generate go run -C gen . -elem decode
//go:generate go run -C gen . -elem keys
//go:generate go run -C gen . -elem round
//go:generate go run -C gen . -elem tables
//go:generate go run -C gen . -elem lookup
//go:generate go run -C gen . -elem nearest

import (
	"os"
	"unsafe"
)

// Batch computes the distance of the query to the rows ids[i], each dim elements long and found at base +
// ids[i]*stride, and writes it to out[i]. It prefetches ahead within the list. len(out) must be at least len(ids),
// every row must be readable and query must hold dim elements of the kernel's query type.
type Batch func(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)

// Kernels is the set of kernels of one level. Float kernels take a float32 query; integer kernels take a query of the
// rows' own type. A row of scaled bytes (SQ8) holds dim int8 and, at the next multiple of 4, the float32 that
// multiplies each of them; the product is rounded to float32. In a pair kernel both arguments hold dim elements. Sums
// of integers are exact up to 33,025 elements; beyond that an int32 may overflow.
type Kernels struct {
	Name string // generic, avx2, avx512 or neon

	L2F32  func(a, b unsafe.Pointer, dim int) float32 // squared Euclidean distance
	DotF32 func(a, b unsafe.Pointer, dim int) float32 // inner product
	L2F16  func(a, b unsafe.Pointer, dim int) float32 // a float32, b float16
	DotF16 func(a, b unsafe.Pointer, dim int) float32
	L2SQ8  func(a, b unsafe.Pointer, dim int) float32 // a float32, b int8 and their scale
	DotSQ8 func(a, b unsafe.Pointer, dim int) float32
	L2I8   func(a, b unsafe.Pointer, dim int) int32
	DotI8  func(a, b unsafe.Pointer, dim int) int32
	L2U8   func(a, b unsafe.Pointer, dim int) int32
	DotU8  func(a, b unsafe.Pointer, dim int) int32

	BatchL2F32 Batch // squared Euclidean distances
	BatchIPF32 Batch // 1 − inner product
	BatchL2F16 Batch
	BatchIPF16 Batch
	BatchL2SQ8 Batch
	BatchIPSQ8 Batch
	BatchL2I8  Batch
	BatchIPI8  Batch // 1 − inner product, computed exactly and then rounded to float32
	BatchL2U8  Batch
	BatchIPU8  Batch

	// Codes are the kernels of rows of small codes by their bits a dimension: 1, 2, 3, 4 and 8.
	Codes [9]CodeBatch

	// Hadamard multiplies x by signs, element by element, and then, in place, by the Walsh–Hadamard matrix, whose elements
	// are ±1. n is a power of two. The kernels of all levels add in the same order, so results are identical bit for bit.
	Hadamard func(x, signs *float32, n int)

	// DecodeF16 writes n half floats to dst. Signalling NaNs become quiet. Neither side need be aligned.
	DecodeF16 func(dst *float32, src *uint16, n int)
	// DecodeSQ8 writes the n elements of a row of scaled bytes to dst.
	DecodeSQ8 func(dst *float32, row unsafe.Pointer, n int)

	// Round writes n values times inv, rounded to the nearest integers, to dst and gives their sum. It takes step times
	// the integers off the values. The products lie within ±127.
	Round func(dst *int8, v *float32, n int, inv, step float32) int

	// Tables writes the look-up tables of product quantization: out[m][c] = init[m][c] + Σ v[m][j]·books[m][j][c], each
	// row of 256 values c. There are subvectors of width values, one at least of each.
	Tables func(out, init, books, v *float32, subvectors, width int)

	// Ranges writes the smallest and the largest value of each row of such a table.
	Ranges func(low, high, table *float32, rows int)

	// TableBytes writes (table[m][c] − low[m])·inv, rounded, which must lie within 0 … 255.
	TableBytes func(dst *uint8, table, low *float32, rows int, inv float32)

	// LookUps sum up the look-ups of codes of product quantization by their bits: 4 and 8.
	LookUps [9]LookUpBatch

	// Nearest writes the number of the smallest of norms[c] − 2·Σ v[i][j]·columns[j][c] for each of n rows of v, of width
	// values each, and of equal ones the first. The number of centroids is 256 or 16.
	Nearest func(out *uint8, v, norms, columns *float32, n, width, centroids int)

	// NearKeys writes the keys (see Key) of those of n ids whose distance is not at least worst, in the order of the ids,
	// and gives their number. Lists of keys have KeyCapacity, here and below.
	NearKeys func(keys *uint64, ids *uint32, dist *float32, n int, worst float32) int

	// SortKeys sorts n distinct keys into dst.
	SortKeys func(dst, src *uint64, n int)

	// PlaceKeys finds where n sorted keys, fresh, go among as many sorted ones as are held: it sets the bits of their
	// places in the list of all, those below total, in the bitmap places, and gives their number and the place of the
	// first key. total is at most held+n, and n at least 1.
	PlaceKeys func(places *uint64, total int, keys *uint64, held int, fresh *uint64, n int) (first, used int)

	// MergeKeys puts n sorted keys, fresh, to those of the first total places of a list that are set in the bitmap places,
	// first being the lowest. The keys from there on make room for them.
	MergeKeys func(keys *uint64, total int, places *uint64, first int, fresh *uint64, n int)
}

// Active is the set of kernels chosen at start-up.
var Active = choose(levels(), os.Getenv("SHALE_SIMD"))

// levels holds the sets of kernels that this machine can run, best first.
func levels() []*Kernels { return append(native(), &generic) }

// rank orders the levels. No machine has levels of two architectures.
var rank = map[string]int{"generic": 0, "neon": 1, "avx2": 1, "avx512": 2}

// choose returns the best level that is no better than the one asked for, or the best of all if none known is.
func choose(all []*Kernels, asked string) *Kernels {
	limit, known := rank[asked]
	for _, k := range all {
		if !known || rank[k.Name] <= limit {
			return k
		}
	}
	return &generic
}
