package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// elem is an element type on a level of the instruction set.
type elem interface {
	adder
	suffix() string // of the function names
	size() int      // bytes an element of a row
	integer() bool  // sums are int32
	width() int     // elements of a chunk

	// prepare readies, once a call, what the other steps share.
	prepare(query, dim reg.Register) constants
	// step adds a chunk of each row to its sum.
	step(m metric, c chunk, k constants, sums []reg.VecVirtual)
	// tail adds the last dim - c.at elements, which are fewer than a chunk and at least one.
	tail(m metric, label string, c chunk, dim reg.Register, k constants, sums []reg.VecVirtual)
}

// constants are registers that hold the same all through a call. An element type uses those it needs.
type constants struct {
	mask reg.Register    // the last elements: an opmask or a vector
	flip reg.VecVirtual  // turns signed bytes into unsigned ones and back
	seed *reg.VecVirtual // what a sum starts from, if not zero

	scales []reg.VecVirtual // of the rows at work, one each
}

// scaled is an element type whose rows end with a float32 that multiplies their elements.
type scaled interface {
	// scales brings each row's scale to all lanes of a vector.
	scales(row []reg.Register, dim reg.Register) []reg.VecVirtual
}

// chunk is a place in the query and in the rows: skip elements after element at.
type chunk struct {
	query reg.Register
	row   []reg.Register
	at    reg.Register
	skip  int
}

// q is the chunk of the query, whose elements have the given size.
func (c chunk) q(size int) operand.Mem {
	return operand.Mem{Base: c.query, Index: c.at, Scale: uint8(size), Disp: c.skip * size}
}

// r is the chunk of row i.
func (c chunk) r(i, size int) operand.Mem {
	return operand.Mem{Base: c.row[i], Index: c.at, Scale: uint8(size), Disp: c.skip * size}
}

// kernels lists what the file of an element type holds.
func kernels(name string) []kernel {
	both := func(elems ...elem) []kernel {
		var list []kernel
		for _, e := range elems {
			list = append(list, kernel{e, l2}, kernel{e, dot})
		}
		return list
	}
	switch name {
	case "f32":
		return both(float32s{avx2}, float32s{avx512})
	case "f16":
		return both(float16s{avx2}, float16s{avx512})
	case "sq8":
		return both(scaledBytes{avx2}, scaledBytes{avx512})
	case "i8", "u8":
		signed := name == "i8"
		return append(both(words{avx2, signed}, words{avx512, signed}),
			kernel{words{vnni, signed}, l2}, kernel{quads{signed}, dot})
	}
	return nil
}
