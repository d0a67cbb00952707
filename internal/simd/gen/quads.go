package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// quads are rows of bytes under VPDPBUSD, which adds up four products of an unsigned and a signed byte at once.
// Flipping the top bit of a byte moves it by 128 and changes its signedness, so
//
//	signed:   q·r = q·(r+128) − 128·Σq
//	unsigned: q·r = q·(r−128) + 128·Σq
//
// and the sums start from the last term, which depends on the query alone.
type quads struct{ signed bool }

func (b quads) isa() isa       { return vnni }
func (b quads) suffix() string { return byteSuffix(b.signed) }
func (b quads) size() int      { return 1 }
func (b quads) integer() bool  { return true }
func (b quads) width() int     { return 64 }

func (b quads) add(x, y operand.Op) { asm.VPADDD(x, y, y) }

// multiply adds the products of the query and the flipped row to sum.
func (b quads) multiply(q, row, sum reg.Register) {
	if b.signed {
		asm.VPDPBUSD(q, row, sum)
	} else {
		asm.VPDPBUSD(row, q, sum)
	}
}

func (b quads) prepare(query, dim reg.Register) constants {
	k := constants{mask: opmask(dim, b.width()), flip: asm.ZMM()}
	top := asm.GP32()
	asm.MOVL(operand.U32(0x80808080), top)
	asm.VPBROADCASTD(top, k.flip)

	// A flipped row of zeros gives what the products have too much.
	excess, at, next := asm.ZMM(), asm.GP64(), asm.GP64()
	asm.VPXORD(excess, excess, excess)
	asm.XORL(at.As32(), at.As32())
	c := chunk{query: query, at: at}
	steps("excess", at, next, dim, b.width(), func() {
		q := asm.ZMM()
		asm.VMOVDQU8(c.q(1), q)
		b.multiply(q, k.flip, excess)
	})
	q := asm.ZMM()
	asm.VMOVDQU8_Z(c.q(1), k.mask, q)
	b.multiply(q, k.flip, excess)
	seed := asm.ZMM()
	asm.VPXORD(seed, seed, seed)
	asm.VPSUBD(excess, seed, seed)
	k.seed = &seed
	return k
}

func (b quads) step(_ metric, c chunk, k constants, sums []reg.VecVirtual) {
	q := asm.ZMM()
	asm.VMOVDQU8(c.q(1), q)
	for i, sum := range sums {
		row := asm.ZMM()
		asm.VPXORD(c.r(i, 1), k.flip, row)
		b.multiply(q, row, sum)
	}
}

func (b quads) tail(_ metric, _ string, c chunk, _ reg.Register, k constants, sums []reg.VecVirtual) {
	q := asm.ZMM()
	asm.VMOVDQU8_Z(c.q(1), k.mask, q)
	for i, sum := range sums {
		row := asm.ZMM()
		asm.VMOVDQU8_Z(c.r(i, 1), k.mask, row)
		asm.VPXORD(row, k.flip, row)
		b.multiply(q, row, sum)
	}
}
