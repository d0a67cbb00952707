package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// nearestKernels find the centroid of a book that is nearest to each of many values.
func nearestKernels() {
	for _, s := range []isa{avx2, avx512} {
		s.nearest()
	}
}

// nearest keeps the smallest distance of each lane, and the number of the first centroid that had it, and compares
// lanes in the end.
func (s isa) nearest() {
	name := "nearest" + s.name
	function(name, "func(out *uint8, v, norms, columns *float32, n, width, centroids int)")
	asm.Doc(name + " takes at least one value, and centroids in whole vectors.")
	out, v, norms := load(asm.Param("out")), load(asm.Param("v")), load(asm.Param("norms"))
	left, width, row := load(asm.Param("n")), load(asm.Param("width")), load(asm.Param("centroids"))
	columns := load(asm.Param("columns"))
	asm.SHLQ(operand.Imm(2), row)
	lanes := s.bits / 32
	first, step, two := s.vec(), s.vec(), s.vec()
	s.broadcast(0xc0000000, two) // −2
	s.broadcast(uint32(lanes), step)
	asm.VMOVDQU(numbers(), first.(reg.Vec).AsY())
	if s.bits == 512 {
		asm.VMOVDQU32(numbers(), first)
	}
	asm.Label("one")
	best, at, number := s.vec(), s.vec(), s.vec()
	s.broadcast(0x7f800000, best) // +Inf
	s.move(first, at)
	s.move(first, number)
	place := asm.GP64()
	asm.XORL(place.As32(), place.As32())
	asm.Label("vector")
	sum, column, j := s.vec(), asm.GP64(), asm.GP64()
	asm.VMOVUPS(operand.Mem{Base: norms, Index: place, Scale: 1}, sum)
	asm.LEAQ(operand.Mem{Base: columns, Index: place, Scale: 1}, column)
	asm.XORL(j.As32(), j.As32())
	asm.Label("value")
	value := s.vec()
	asm.VBROADCASTSS(operand.Mem{Base: v, Index: j, Scale: 4}, value)
	asm.VMULPS(two, value, value)
	asm.VFMADD231PS(operand.Mem{Base: column}, value, sum)
	asm.ADDQ(row, column)
	asm.INCQ(j)
	asm.CMPQ(j, width)
	asm.JCS(operand.LabelRef("value"))
	s.takeLess(sum, number, best, at)
	asm.VPADDD(step, number, number)
	asm.ADDQ(operand.U32(uint32(s.bits/8)), place)
	asm.CMPQ(place, row)
	asm.JCS(operand.LabelRef("vector"))
	asm.MOVB(s.leastLane(best, at).As8(), operand.Mem{Base: out})
	asm.INCQ(out)
	asm.LEAQ(operand.Mem{Base: v, Index: width, Scale: 4}, v)
	asm.DECQ(left)
	asm.JNE(operand.LabelRef("one"))
	asm.VZEROUPPER()
	asm.RET()
}

// numbers are 0 … 15 in memory.
func numbers() operand.Mem {
	if numberTable == nil {
		m := asm.StaticGlobal("laneNumbers")
		asm.DataAttributes(attr.RODATA | attr.NOPTR)
		for i := range 16 {
			asm.AddDatum(4*i, operand.U32(uint32(i)))
		}
		numberTable = &m
	}
	return *numberTable
}

var numberTable *operand.Mem

// broadcast fills v with 32 bits.
func (s isa) broadcast(bits uint32, v reg.VecVirtual) {
	r := asm.GP32()
	asm.MOVL(operand.U32(bits), r)
	x := v.(reg.Vec).AsX()
	asm.VMOVD(r, x)
	asm.VPBROADCASTD(x, v)
}

func (s isa) move(from, to reg.VecVirtual) {
	if s.bits == 512 {
		asm.VMOVDQA32(from, to)
	} else {
		asm.VMOVDQA(from, to)
	}
}

// takeLess puts the lanes of sum that are below those of best, and their numbers, in the place of these.
func (s isa) takeLess(sum, number, best, at reg.VecVirtual) {
	if s.bits == 512 {
		less := asm.K()
		asm.VCMPPS(operand.Imm(lessThan), best, sum, less)
		asm.VMOVAPS(sum, less, best)
		asm.VMOVDQA32(number, less, at)
		return
	}
	less := asm.YMM()
	asm.VCMPPS(operand.Imm(lessThan), best, sum, less)
	asm.VBLENDVPS(less, sum, best, best)
	asm.VBLENDVPS(less, number, at, at)
}

// leastLane is the smallest number of the lanes whose value is the smallest.
func (s isa) leastLane(best, at reg.VecVirtual) reg.GPVirtual {
	best8, at8 := best.(reg.Vec).AsY(), at.(reg.Vec).AsY()
	if s.bits == 512 {
		value, number := asm.YMM(), asm.YMM()
		asm.VEXTRACTF32X8(operand.Imm(1), best, value)
		asm.VEXTRACTI32X8(operand.Imm(1), at, number)
		foldLess(value, number, best8, at8)
	}
	for _, fold := range []func(from, to operand.Op){
		func(from, to operand.Op) { asm.VPERMQ(operand.Imm(0x4e), from, to) },
		func(from, to operand.Op) { asm.VPSHUFD(operand.Imm(0x4e), from, to) },
		func(from, to operand.Op) { asm.VPSHUFD(operand.Imm(0xb1), from, to) },
	} {
		value, number := asm.YMM(), asm.YMM()
		fold(best8, value)
		fold(at8, number)
		foldLess(value, number, best8, at8)
	}
	r := asm.GP64()
	asm.VMOVD(at8.(reg.Vec).AsX(), r.As32())
	return r
}

// foldLess takes lanes that are smaller, or as small and of a smaller number.
func foldLess(value, number, best, at operand.Op) {
	less, equal, before := asm.YMM(), asm.YMM(), asm.YMM()
	asm.VCMPPS(operand.Imm(lessThan), best, value, less)
	asm.VCMPPS(operand.Imm(0), best, value, equal)
	asm.VPCMPGTD(number, at, before)
	asm.VPAND(equal, before, before)
	asm.VPOR(before, less, less)
	asm.VBLENDVPS(less, value, best, best)
	asm.VBLENDVPS(less, number, at, at)
}
