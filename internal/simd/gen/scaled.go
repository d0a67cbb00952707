package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// scaledBytes are rows of signed bytes under a query of float32. The scale that multiplies a row's bytes follows them,
// at the next multiple of 4. Products are rounded before they meet the query, so that a row is at distance 0 of what it
// decodes to.
type scaledBytes struct{ level isa }

// scaleRoom is the most bytes that follow a row's elements: up to 3 to fill up, and the scale.
const scaleRoom = 3 + 4

func (s scaledBytes) isa() isa       { return s.level }
func (s scaledBytes) suffix() string { return "SQ8" }
func (s scaledBytes) size() int      { return 1 }
func (s scaledBytes) integer() bool  { return false }
func (s scaledBytes) width() int     { return s.level.bits / 32 }

func (s scaledBytes) add(a, b operand.Op) { asm.VADDPS(a, b, b) }

func (s scaledBytes) scales(row []reg.Register, dim reg.Register) []reg.VecVirtual {
	at := scaleOffset(dim)
	list := s.level.vecs(len(row))
	for i, v := range list {
		asm.VBROADCASTSS(operand.Mem{Base: row[i], Index: at, Scale: 1}, v)
	}
	return list
}

// scaleOffset is where the scale of a row of dim bytes lies.
func scaleOffset(dim reg.Register) reg.Register {
	at := asm.GP64()
	asm.LEAQ(operand.Mem{Base: dim, Disp: 3}, at)
	asm.ANDQ(operand.I8(-4), at)
	return at
}

// widen loads a chunk of bytes, as float32 times scale.
func (s scaledBytes) widen(from operand.Mem, scale reg.VecVirtual) reg.VecVirtual {
	v := s.level.vec()
	asm.VPMOVSXBD(from, v)
	asm.VCVTDQ2PS(v, v)
	asm.VMULPS(scale, v, v)
	return v
}

// widenFirst is widen of as many bytes as mask has, zeros in the other lanes.
func (s scaledBytes) widenFirst(from operand.Mem, mask reg.Register, scale reg.VecVirtual) reg.VecVirtual {
	v := s.level.vec()
	asm.VPMOVSXBD_Z(from, mask, v)
	asm.VCVTDQ2PS(v, v)
	asm.VMULPS_Z(scale, v, mask, v)
	return v
}

// widenOne is widen of a single byte, zeros in the other lanes.
func (s scaledBytes) widenOne(from operand.Mem, scale reg.VecVirtual) reg.VecVirtual {
	bits, v := asm.GP32(), s.level.cleared()
	asm.MOVBLSX(from, bits)
	asm.VMOVD(bits, v.AsX())
	asm.VCVTDQ2PS(v.AsX(), v.AsX())
	asm.VMULSS(scale.AsX(), v.AsX(), v.AsX())
	return v
}

func (s scaledBytes) step(m metric, c chunk, k constants, sums []reg.VecVirtual) {
	q := s.level.vec()
	asm.VMOVUPS(c.q(4), q)
	for i, sum := range sums {
		accumulate(m, q, s.widen(c.r(i, 1), k.scales[i]), sum)
	}
}

func (s scaledBytes) prepare(_, dim reg.Register) constants {
	if s.level.bits == 512 {
		return constants{mask: opmask(dim, s.width())}
	}
	return constants{mask: lastLanes(dim, s.width())}
}

func (s scaledBytes) tail(m metric, label string, c chunk, dim reg.Register, k constants, sums []reg.VecVirtual) {
	if s.level.bits == 512 {
		q := s.level.vec()
		asm.VMOVUPS_Z(c.q(4), k.mask, q)
		for i, sum := range sums {
			accumulate(m, q, s.widenFirst(c.r(i, 1), k.mask, k.scales[i]), sum)
		}
		return
	}
	overlap(label, c, dim, s.width(), func(c chunk) {
		q := asm.YMM()
		asm.VANDPS(c.q(4), k.mask, q)
		for i, sum := range sums {
			row := s.widen(c.r(i, 1), k.scales[i])
			asm.VANDPS(row, k.mask, row)
			accumulate(m, q, row, sum)
		}
	}, func(c chunk) {
		q := s.level.cleared()
		asm.VMOVSS(c.q(4), q.AsX())
		for i, sum := range sums {
			accumulate(m, q, s.widenOne(c.r(i, 1), k.scales[i]), sum)
		}
	})
}
