package hnsw

import "github.com/shale-search/shale/internal/quant"

const (
	// shortRow is the length of float32 rows in bytes up to which reading one costs hardly more than reading its code.
	shortRow = 192
	line     = 64 // bytes of a cache line
)

// AutoCodes returns the codes that suit rows of dim float32 values kept in full; none where walks read such rows as
// fast.
//
// A walk waits for memory, and a code of one or two cache lines costs about one wait: so the most bits that fit two
// lines. Longer rows get 2 bits: with the re-rank they keep the recall of a walk over rows, and more bits would only
// add lines. (On 128 dimensions 3 bits, in one line, are a quarter slower than 4, in two: they are taken apart in two
// steps, and more candidates have to be ranked by their rows.)
func AutoCodes(dim int) Codes {
	if 4*dim <= shortRow || dim > quant.MaxDim {
		return Codes{}
	}
	for _, bits := range []int{4, 3} {
		if quant.Stride(dim, bits) <= 2*line {
			return Codes{Kind: quant.RaBitQ, Bits: bits}
		}
	}
	return Codes{Kind: quant.RaBitQ, Bits: 2}
}
