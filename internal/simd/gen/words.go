package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// words are rows of bytes, widened to 16 bits so that nothing saturates, and summed in 32 bits.
type words struct {
	level  isa
	signed bool
}

func (w words) isa() isa       { return w.level }
func (w words) suffix() string { return byteSuffix(w.signed) }
func (w words) size() int      { return 1 }
func (w words) integer() bool  { return true }
func (w words) width() int     { return w.level.bits / 16 }

func (w words) add(a, b operand.Op) { asm.VPADDD(a, b, b) }

func byteSuffix(signed bool) string {
	if signed {
		return "I8"
	}
	return "U8"
}

func (w words) widen(from operand.Mem) reg.VecVirtual {
	v := w.level.vec()
	if w.signed {
		asm.VPMOVSXBW(from, v)
	} else {
		asm.VPMOVZXBW(from, v)
	}
	return v
}

// accumulate adds the products or squared differences of two vectors of 16-bit numbers to sum. It may change row.
func (w words) accumulate(m metric, q, row, sum reg.VecVirtual) {
	factor := q
	if m == l2 {
		asm.VPSUBW(row, q, row)
		factor = row
	}
	if w.level.vnni {
		asm.VPDPWSSD(factor, row, sum)
		return
	}
	asm.VPMADDWD(factor, row, row)
	asm.VPADDD(row, sum, sum)
}

func (w words) step(m metric, c chunk, _ constants, sums []reg.VecVirtual) {
	q := w.widen(c.q(1))
	for i, sum := range sums {
		w.accumulate(m, q, w.widen(c.r(i, 1)), sum)
	}
}

func (w words) prepare(_, dim reg.Register) constants {
	if w.level.bits == 512 {
		return constants{mask: opmask(dim, w.width())}
	}
	return constants{mask: lastLanes(dim, w.width())}
}

func (w words) tail(m metric, label string, c chunk, dim reg.Register, k constants, sums []reg.VecVirtual) {
	if w.level.bits == 512 {
		load := func(from operand.Mem) reg.VecVirtual {
			v := asm.ZMM()
			if w.signed {
				asm.VPMOVSXBW_Z(from, k.mask, v)
			} else {
				asm.VPMOVZXBW_Z(from, k.mask, v)
			}
			return v
		}
		q := load(c.q(1))
		for i, sum := range sums {
			w.accumulate(m, q, load(c.r(i, 1)), sum)
		}
		return
	}
	overlap(label, c, dim, w.width(), func(c chunk) {
		q := w.widen(c.q(1))
		asm.VPAND(q, k.mask, q)
		for i, sum := range sums {
			row := w.widen(c.r(i, 1))
			asm.VPAND(row, k.mask, row)
			w.accumulate(m, q, row, sum)
		}
	}, func(c chunk) {
		q := w.one(c.q(1))
		for i, sum := range sums {
			row := w.one(c.r(i, 1))
			factor := q
			if m == l2 {
				asm.VPSUBD(row, q, row)
				factor = row
			}
			asm.VPMULLD(factor, row, row)
			asm.VPADDD(row, sum, sum)
		}
	})
}

// one loads a single element into the first lane of 32 bits.
func (w words) one(from operand.Mem) reg.VecVirtual {
	bits, v := asm.GP32(), w.level.cleared()
	if w.signed {
		asm.MOVBLSX(from, bits)
	} else {
		asm.MOVBLZX(from, bits)
	}
	asm.VMOVD(bits, v.AsX())
	return v
}
