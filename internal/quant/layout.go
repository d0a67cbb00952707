package quant

import (
	"encoding/binary"
	"math"
)

// blockBytes is the number of bytes of a row that kernels read at a time.
const blockBytes = 64

// layout holds the offsets of the parts of a row of codes:
//
//	low part:  the code's bits (3-bit codes: the lower two), in blocks of 64 bytes, the last one shorter
//	high part: 3-bit codes only: their third bit, in the same way
//	factors:   three float32, see factors
//
// Byte j of a block of w bytes holds 8/b dimensions w apart, so that a shift and a mask unpack as many as there are
// bytes in a register.
type layout struct {
	low, high part
	factors   int // offset
	size      int // bytes of a row without its padding
	stride    int
}

// part is the codes of one width in a row.
type part struct {
	at, bits, bytes int
}

func (p part) perByte() int { return 8 / p.bits }
func (p part) blocks() int  { return (p.bytes + blockBytes - 1) / blockBytes }

func layoutOf(dim, bits int) layout {
	var l layout
	l.low = part{0, bits, (dim*bits + 7) / 8}
	end := l.low.bytes
	if bits == 3 {
		l.low = part{0, 2, (dim + 3) / 4}
		l.high = part{l.low.bytes, 1, (dim + 7) / 8}
		end = l.low.bytes + l.high.bytes
	}
	l.factors = (end + 3) &^ 3
	l.size = l.factors + factorBytes
	l.stride = strideOf(l.size)
	return l
}

// strideOf returns the bytes from one row to the next. Rows start on cache lines if that costs little memory.
func strideOf(size int) int {
	aligned := (size + 63) &^ 63
	limit := size / 8
	if size <= 256 {
		limit = size / 4 // walks read small rows most: saving a cache line is worth more there
	}
	if aligned-size <= limit {
		return aligned
	}
	return (size + 15) &^ 15
}

// slack returns the number of bytes from the start of the last row that a kernel may read.
func (l *layout) slack() int {
	end := l.low.blocks() * blockBytes
	if l.high.bits != 0 {
		end = max(end, l.high.at+l.high.blocks()*blockBytes)
	}
	return max(end, l.stride)
}

// each calls f with the byte, the shift and the dimension of every code of the part, in the order of blocks, parts of a
// byte and bytes. slot is the position among the query's values, which fill whole blocks.
func (p part) each(dim int, f func(at int, shift uint, slot, d int)) {
	d := 0
	for block := range p.blocks() {
		w := min(blockBytes, p.bytes-block*blockBytes)
		for k := range p.perByte() {
			for j := range w {
				if d+j < dim {
					f(p.at+block*blockBytes+j, uint(k*p.bits), (block*p.perByte()+k)*blockBytes+j, d+j)
				}
			}
			d += w
		}
	}
}

// unpack adds the part's codes, shifted, to the codes of all dimensions. It does what each would, faster.
func (p part) unpack(codes []uint8, row []byte, up uint) {
	mask, d := uint8(1)<<p.bits-1, 0
	for block := range p.blocks() {
		from := row[p.at+block*blockBytes:][:min(blockBytes, p.bytes-block*blockBytes)]
		for shift := 0; shift < 8 && d < len(codes); shift += p.bits {
			to := codes[d:min(d+len(from), len(codes))]
			for j := range to {
				to[j] |= from[j] >> shift & mask << up
			}
			d += len(from)
		}
	}
}

const factorBytes = 12

// factors are the factors of a row: distance ≈ add + mul·(estimated inner product of grid and query), and the measure
// of the error.
type factors struct {
	add, mul, err float32
}

func (l *layout) putFactors(row []byte, f factors) {
	b := row[l.factors:]
	binary.LittleEndian.PutUint32(b, math.Float32bits(f.add))
	binary.LittleEndian.PutUint32(b[4:], math.Float32bits(f.mul))
	binary.LittleEndian.PutUint32(b[8:], math.Float32bits(f.err))
}

// SoundFactors reports whether the factors of a row of codes are finite.
func SoundFactors(dim, bits int, row []byte) bool {
	l := layoutOf(dim, bits)
	f := l.getFactors(row)
	return f.add-f.add == 0 && f.mul-f.mul == 0 && f.err-f.err == 0
}

func (l *layout) getFactors(row []byte) factors {
	b := row[l.factors:]
	return factors{
		math.Float32frombits(binary.LittleEndian.Uint32(b)),
		math.Float32frombits(binary.LittleEndian.Uint32(b[4:])),
		math.Float32frombits(binary.LittleEndian.Uint32(b[8:])),
	}
}
