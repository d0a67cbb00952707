package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// elem is an element type on a level of the instruction set.
type elem interface {
	isa() isa
	suffix() string // of the function names
	size() int      // bytes an element of a row
	integer() bool  // sums are int32
	width() int     // elements of a chunk

	// step adds a chunk of each row to its sum.
	step(m metric, c chunk, sums []reg.VecVirtual)
	// prepareTail readies, once a call, what tail needs.
	prepareTail(dim reg.Register) tailer
	// tail adds the last dim - c.at elements, which are fewer than a chunk and at least one.
	tail(m metric, label string, c chunk, dim reg.Register, t tailer, sums []reg.VecVirtual)
	// add adds the sums a to b.
	add(a, b operand.Op)
}

// tailer is the mask of the last elements: an opmask register or a vector.
type tailer reg.Register

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

func elements(name string) []elem {
	switch name {
	case "f32":
		return []elem{float32s{avx2}, float32s{avx512}}
	}
	return nil
}
