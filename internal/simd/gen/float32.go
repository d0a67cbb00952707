package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

type float32s struct{ level isa }

func (f float32s) isa() isa       { return f.level }
func (f float32s) suffix() string { return "F32" }
func (f float32s) size() int      { return 4 }
func (f float32s) integer() bool  { return false }
func (f float32s) width() int     { return f.level.bits / 32 }

func (f float32s) add(a, b operand.Op) { asm.VADDPS(a, b, b) }

func (f float32s) step(m metric, c chunk, _ constants, sums []reg.VecVirtual) {
	q := f.level.vec()
	asm.VMOVUPS(c.q(4), q)
	for i, sum := range sums {
		if m == dot {
			asm.VFMADD231PS(c.r(i, 4), q, sum)
			continue
		}
		d := f.level.vec()
		asm.VSUBPS(c.r(i, 4), q, d)
		asm.VFMADD231PS(d, d, sum)
	}
}

func (f float32s) prepare(_, dim reg.Register) constants {
	if f.level.bits == 512 {
		return constants{mask: opmask(dim, f.width())}
	}
	return constants{mask: firstLanes(dim, f.width())}
}

func (f float32s) tail(m metric, _ string, c chunk, _ reg.Register, k constants, sums []reg.VecVirtual) {
	load := func(from operand.Mem) reg.VecVirtual {
		v := f.level.vec()
		if f.level.bits == 512 {
			asm.VMOVUPS_Z(from, k.mask, v)
		} else {
			asm.VMASKMOVPS(from, k.mask, v)
		}
		return v
	}
	q := load(c.q(4))
	for i, sum := range sums {
		accumulate(m, q, load(c.r(i, 4)), sum)
	}
}

// accumulate adds the products or squared differences of two float32 vectors to sum. It may change row.
func accumulate(m metric, q, row, sum reg.VecVirtual) {
	if m == dot {
		asm.VFMADD231PS(row, q, sum)
		return
	}
	asm.VSUBPS(row, q, row)
	asm.VFMADD231PS(row, row, sum)
}
