package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// adder adds vectors of numbers of 32 bits.
type adder interface {
	isa() isa
	add(a, b operand.Op) // adds the sums a to b
}

// sumLanes adds the lanes of each vector and leaves the totals in the first lanes of the result, in order.
func sumLanes(e adder, v []reg.VecVirtual) reg.VecVirtual {
	if len(v) == 1 {
		return sumOne(e, v[0])
	}
	s := e.isa()
	lo, hi := s.vecs(4), s.vecs(4)
	for i := range 2 {
		// Interleaving two vectors and adding the halves leaves their sums side by side in each 128-bit lane.
		asm.VUNPCKLPS(v[2*i+1], v[2*i], lo[i])
		asm.VUNPCKHPS(v[2*i+1], v[2*i], hi[i])
		e.add(hi[i], lo[i])
	}
	asm.VUNPCKLPD(lo[1], lo[0], lo[2])
	asm.VUNPCKHPD(lo[1], lo[0], hi[2])
	e.add(hi[2], lo[2])
	return foldLanes(e, lo[2])
}

func sumOne(e adder, v reg.VecVirtual) reg.VecVirtual {
	x, t := foldLanes(e, v), asm.XMM()
	asm.VPSHUFD(operand.Imm(0b1110), x.AsX(), t)
	e.add(t, x.AsX())
	asm.VPSHUFD(operand.Imm(0b01), x.AsX(), t)
	e.add(t, x.AsX())
	return x
}

// foldLanes adds the upper 128-bit lanes of v to the first.
func foldLanes(e adder, v reg.VecVirtual) reg.VecVirtual {
	t := asm.XMM()
	if e.isa().bits == 512 {
		half := asm.YMM()
		asm.VEXTRACTF64X4(operand.Imm(1), v, half)
		e.add(half, v.AsY())
		asm.VEXTRACTF32X4(operand.Imm(1), v.AsY(), t) // reaches all registers
	} else {
		asm.VEXTRACTF128(operand.Imm(1), v.AsY(), t)
	}
	e.add(t, v.AsX())
	return v
}
