package simd

import "unsafe"

// CodeQuery is a query prepared for rows of small codes: unsigned integers of b bits a dimension. What rows hold counts
// in blocks of 64 bytes. A block has 8/b parts: part p of byte j is byte>>(p·b) & (2^b − 1), and in block k it meets
// Values[(k·8/b + p)·64 + j]. Codes of 3 bits are codes of 2 bits and, elsewhere in the row, codes of 1 bit that count
// fourfold.
//
// Whole blocks are read, and must be readable, even where a row's codes fill the last one in part; Values is zero
// there. A row need not be aligned.
type CodeQuery struct {
	Values *int8 // Blocks·64·8/b, from −127 to 127; of 3-bit codes those that meet the lower two bits
	Blocks int

	High       int   // 3-bit codes only: the offset in the row of the third bits,
	HighBlocks int   // their number of blocks
	HighValues *int8 // and what they meet

	Factors                 int     // the offset in the row of two float32, A and F
	Add, Alpha, Beta, Gamma float32 // see CodeBatch

	Asked int // not 0: the rows have been prefetched
	Half  int // not 0: the values that the upper half of the last of Blocks meets are all zero
}

// CodeBatch computes for the row of each id, at base + ids[i]*stride, the sum dot of codes times values, and writes
//
//	Add·A + F·(Alpha·dot + Beta) + Gamma
//
// to out[i]. The sum is exact as long as it fits int32. It prefetches ahead within the list, unless Asked. len(out)
// must be at least len(ids).
type CodeBatch func(q *CodeQuery, base unsafe.Pointer, stride uintptr, ids []uint32, out []float32)

// LookUp is a query prepared for codes of product quantization: a table of bytes, which is the distance of the query to
// every centroid in steps of a size. A row of codes is Bytes long.
//
// With 8 bits a code, byte j stands for Table[256·j + byte]. With 4 bits there are two tables of 16 entries a byte,
// whose places LookUpAt tells: bytes count in blocks of 64, and the last block's tables are there for all of it, zeros
// for the bytes that there are not.
type LookUp struct {
	Table      *uint8
	Bytes      int
	Base, Step float32 // the result is Base + Step · the sum of entries
	Asked      int     // not 0: the rows have been prefetched
}

// LookUpBatch writes the distance of the row of each id, at base + ids[i]*stride, to out[i]. It reads Bytes of a row
// and no more. Sums of entries are exact as long as they fit an int32. len(out) must be at least len(ids).
type LookUpBatch func(q *LookUp, base unsafe.Pointer, stride uintptr, ids []uint32, out []float32)
