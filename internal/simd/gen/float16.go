package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// float16s are rows of half floats under a query of float32.
type float16s struct{ level isa }

func (f float16s) isa() isa       { return f.level }
func (f float16s) suffix() string { return "F16" }
func (f float16s) size() int      { return 2 }
func (f float16s) integer() bool  { return false }
func (f float16s) width() int     { return f.level.bits / 32 }

func (f float16s) add(a, b operand.Op) { asm.VADDPS(a, b, b) }

func (f float16s) step(m metric, c chunk, _ constants, sums []reg.VecVirtual) {
	q := f.level.vec()
	asm.VMOVUPS(c.q(4), q)
	for i, sum := range sums {
		row := f.level.vec()
		asm.VCVTPH2PS(c.r(i, 2), row)
		accumulate(m, q, row, sum)
	}
}

func (f float16s) prepare(_, dim reg.Register) constants {
	if f.level.bits == 512 {
		return constants{mask: opmask(dim, f.width())}
	}
	return constants{mask: lastLanes(dim, f.width())}
}

func (f float16s) tail(m metric, label string, c chunk, dim reg.Register, k constants, sums []reg.VecVirtual) {
	if f.level.bits == 512 {
		q := f.level.vec()
		asm.VMOVUPS_Z(c.q(4), k.mask, q)
		for i, sum := range sums {
			row := f.level.vec()
			asm.VCVTPH2PS_Z(c.r(i, 2), k.mask, row)
			accumulate(m, q, row, sum)
		}
		return
	}
	overlap(label, c, dim, f.width(), func(c chunk) {
		q := asm.YMM()
		asm.VANDPS(c.q(4), k.mask, q)
		for i, sum := range sums {
			row := asm.YMM()
			asm.VCVTPH2PS(c.r(i, 2), row)
			asm.VANDPS(row, k.mask, row)
			accumulate(m, q, row, sum)
		}
	}, func(c chunk) {
		q := f.level.cleared()
		asm.VMOVSS(c.q(4), q.AsX())
		for i, sum := range sums {
			bits, row := asm.GP32(), asm.YMM()
			asm.MOVWLZX(c.r(i, 2), bits)
			asm.VMOVD(bits, row.AsX())
			asm.VCVTPH2PS(row.AsX(), row)
			accumulate(m, q, row, sum)
		}
	})
}
