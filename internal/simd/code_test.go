//go:build unix

package simd

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

var codeBits = []int{1, 2, 3, 4, 8}

// lowBits is how many bits a dimension the first part of a row holds.
func lowBits(bits int) int {
	if bits == 3 {
		return 2
	}
	return bits
}

// codeRows are rows of codes in memory that ends where reading on would fault, and a query for them.
type codeRows struct {
	bits, stride int
	base         []byte
	values, high []int8 // of the query
	q            CodeQuery
	sums         bool      // the factors leave nothing but the sum of integers
	want, scale  []float64 // by row; the scale is that of rounding errors
}

// newCodeRows makes rows of so many blocks, gap bytes apart and at the end of g. They start at odd places, and so does
// what they consist of: the second part of a row and its factors may lie in the block that holds the end of what is
// before them.
func newCodeRows(rng *rand.Rand, g guarded, bits, blocks, highBlocks, rows, gap int) *codeRows {
	c := &codeRows{bits: bits, sums: rng.IntN(2) == 0}
	if bits != 3 {
		highBlocks = 0
	}
	c.values, c.high = make([]int8, 64*blocks*8/lowBits(bits)), make([]int8, 64*highBlocks*8)
	for _, v := range [][]int8{c.values, c.high} {
		for i := range v {
			v[i] = int8(rng.IntN(255) - 127)
		}
	}
	c.q = CodeQuery{Values: unsafe.SliceData(c.values), Blocks: blocks, Factors: 64*blocks - rng.IntN(64)}
	if rng.IntN(2) == 0 {
		c.q.Half = 1
		for i := 64 * (blocks - 1) * 8 / lowBits(bits); i < len(c.values); i++ {
			if i%64 >= 32 {
				c.values[i] = 0
			}
		}
	}
	if bits == 3 {
		c.q.High, c.q.HighBlocks, c.q.HighValues = c.q.Factors, highBlocks, unsafe.SliceData(c.high)
		c.q.Factors += 64*highBlocks - rng.IntN(64)
	}
	c.stride = c.q.Factors + 8 + gap
	size := max(64*c.q.Blocks, c.q.High+64*c.q.HighBlocks, c.q.Factors+8)
	c.base = g.end((rows-1)*c.stride + size)
	fill(rng, c.base, 1)
	c.q.Alpha = 1
	if !c.sums {
		c.q.Add, c.q.Alpha, c.q.Beta, c.q.Gamma = float32(rng.NormFloat64()), 1e-3, float32(rng.NormFloat64()), 3
	}
	for id := range rows {
		f := c.base[id*c.stride+c.q.Factors:][:8]
		fill(rng, f, 4)
		if c.sums {
			binary.NativeEndian.PutUint32(f[4:], math.Float32bits(1))
		}
	}
	c.weigh(rows)
	return c
}

// weigh computes what the rows should give.
func (c *codeRows) weigh(rows int) {
	c.want, c.scale = make([]float64, rows), make([]float64, rows)
	for id := range rows {
		row := c.base[id*c.stride:]
		dot := partSum(lowBits(c.bits), row, c.values) + 4*partSum(1, row[c.q.High:], c.high)
		a, f := float32At(row[c.q.Factors:]), float32At(row[c.q.Factors+4:])
		for _, term := range []float64{
			float64(c.q.Add) * a, f * float64(c.q.Alpha) * float64(dot), f * float64(c.q.Beta), float64(c.q.Gamma),
		} {
			c.want[id] += term
			c.scale[id] += math.Abs(term)
		}
	}
}

func partSum(bits int, row []byte, values []int8) int {
	parts, sum := 8/bits, 0
	for at, v := range values {
		block, part, j := at/64/parts, at/64%parts, at%64
		sum += int(row[64*block+j]>>(part*bits)&(1<<bits-1)) * int(v)
	}
	return sum
}

func (c *codeRows) check(t *testing.T, set *Kernels, ids []uint32, out []float32) {
	t.Helper()
	set.Codes[c.bits](&c.q, pointer(c.base), uintptr(c.stride), ids, out)
	for i, id := range ids {
		want, bound := c.want[id], 0x1p-21*c.scale[id]
		if c.sums {
			want, bound = float64(float32(want)), 0
		}
		if !(math.Abs(float64(out[i])-want) <= bound) {
			t.Fatalf("%s, %d bits, %d and %d blocks (half %d): row %d, %d of %d, gives %g, not %g",
				set.Name, c.bits, c.q.Blocks, c.q.HighBlocks, c.q.Half, id, i, len(ids), out[i], want)
		}
	}
}

func TestCodes(t *testing.T) {
	const rows, most = 7, 40
	rng := rand.New(rand.NewPCG(9, 10))
	data, ids, out := newGuarded(t, rows*(2*64*9+100)), newGuarded(t, 4*most), newGuarded(t, 4*most)
	for _, bits := range codeBits {
		for shape := range 64 {
			c := newCodeRows(rng, data, bits, shape%8+1, shape/8+1, rows, []int{0, 1, 13, 64}[rng.IntN(4)])
			for n := 0; n <= most; n++ {
				list := unsafe.Slice((*uint32)(pointer(ids.end(4*n))), n)
				for i := range list {
					list[i] = rng.Uint32N(rows)
				}
				for _, set := range tested() {
					c.check(t, set, list, unsafe.Slice((*float32)(pointer(out.end(4*n))), n))
				}
			}
		}
	}
}

// TestAlignedCodes has rows that start on cache lines, as most do.
func TestAlignedCodes(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	data := newGuarded(t, 1<<16)
	for _, bits := range codeBits {
		for blocks := 1; blocks <= 4; blocks++ {
			c := newCodeRows(rng, data, bits, blocks, blocks, 4, 0)
			c.stride, c.base = (c.stride+63)&^63, data
			for id := range 4 {
				binary.NativeEndian.PutUint32(data[id*c.stride+c.q.Factors+4:], math.Float32bits(1))
				binary.NativeEndian.PutUint32(data[id*c.stride+c.q.Factors:], 0)
			}
			c.weigh(4)
			for n := range 20 {
				for _, set := range tested() {
					c.check(t, set, []uint32{3, 1, 0, 2, 3, 3, 0, 0, 1, 2, 2, 1, 3, 0, 1, 1, 2, 0, 3}[:n], make([]float32, n))
				}
			}
		}
	}
}

// TestCodesOfExtremes would catch sums that saturate or overflow: the last are of 65,536 dimensions.
func TestCodesOfExtremes(t *testing.T) {
	for _, bits := range codeBits {
		for _, blocks := range []int{1, 2, 3, 4, 8, 33, 128 * lowBits(bits)} {
			for _, code := range []byte{0xff, 0x55, 0xaa, 0x0f, 0xf0, 0x80} {
				for _, signs := range [][2]int8{{127, 127}, {-127, -127}, {127, -127}} {
					c := &codeRows{bits: bits, sums: true, base: make([]byte, 64*2*blocks+8)}
					for i := range c.base {
						c.base[i] = code
					}
					c.values, c.high = make([]int8, 64*blocks*8/lowBits(bits)), make([]int8, 64*blocks*8)
					for i := range c.high {
						c.high[i] = signs[i%2]
					}
					copy(c.values, c.high)
					c.q = CodeQuery{Values: &c.values[0], Blocks: blocks, Alpha: 1, Factors: 64 * 2 * blocks}
					if bits == 3 {
						c.q.High, c.q.HighBlocks, c.q.HighValues = 64*blocks, blocks, &c.high[0]
					} else {
						c.high = nil
					}
					binary.NativeEndian.PutUint64(c.base[c.q.Factors:], uint64(math.Float32bits(1))<<32)
					c.weigh(1)
					for _, set := range tested() {
						c.check(t, set, make([]uint32, 5), make([]float32, 5))
					}
				}
			}
		}
	}
}

// TestLongCodeResults leaves alone what lies behind the results.
func TestLongCodeResults(t *testing.T) {
	base, values := make([]byte, 4*64+8), make([]int8, 64*8*2)
	q := CodeQuery{Values: &values[0], Blocks: 2, High: 128, HighBlocks: 1, HighValues: &values[0], Factors: 200}
	for _, bits := range codeBits {
		for _, set := range tested() {
			for n := range 20 {
				out := make([]float32, n+9)
				for i := range out {
					out[i] = -7
				}
				set.Codes[bits](&q, pointer(base), 0, make([]uint32, n), out)
				for i, v := range out {
					if (v == -7) != (i >= n) {
						t.Fatalf("%s, %d bits: result %d of %d is %g", set.Name, bits, i, n, v)
					}
				}
			}
		}
	}
}

// TestHighCodeIDs reaches rows beyond 4 GiB from the base, which a 32-bit product would miss.
func TestHighCodeIDs(t *testing.T) {
	const id, stride = 1<<32 - 1, 1 << 20
	rng := rand.New(rand.NewPCG(13, 14))
	data := newGuarded(t, 1<<12)
	for _, bits := range codeBits {
		c := newCodeRows(rng, data, bits, 2, 2, 1, 0)
		base := unsafe.Pointer(uintptr(pointer(c.base)) - id*stride) // the id leads back to the row
		for _, set := range tested() {
			want, out := make([]float32, 1), make([]float32, 5)
			set.Codes[bits](&c.q, pointer(c.base), 0, make([]uint32, 1), want)
			set.Codes[bits](&c.q, base, stride, []uint32{id, id, id, id, id}, out)
			for _, v := range out {
				if v != want[0] {
					t.Fatalf("%s, %d bits: %g, want %g", set.Name, bits, v, want[0])
				}
			}
		}
	}
}
