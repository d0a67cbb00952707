package main

import (
	"github.com/mmcloughlin/avo/operand"
)

// decodeKernels write the routines that turn half floats into floats.
func decodeKernels() {
	for _, level := range []isa{avx2, avx512} {
		decode(level)
	}
}

func decode(level isa) {
	function("decodeF16"+level.name, "func(dst *float32, src *uint16, n int)")
	to, from, n := load(asm.Param("dst")), load(asm.Param("src")), load(asm.Param("n"))
	width := level.bits / 32
	at, next := asm.GP64(), asm.GP64()
	asm.XORL(at.As32(), at.As32())
	source := func(skip int) operand.Mem { return operand.Mem{Base: from, Index: at, Scale: 2, Disp: 2 * skip} }
	target := func(skip int) operand.Mem { return operand.Mem{Base: to, Index: at, Scale: 4, Disp: 4 * skip} }
	chunks := func(count int) {
		for i := range count {
			v := level.vec()
			asm.VCVTPH2PS(source(i*width), v)
			asm.VMOVUPS(v, target(i*width))
		}
	}
	steps("wide", at, next, n, 4*width, func() { chunks(4) })
	steps("narrow", at, next, n, width, func() { chunks(1) })
	asm.CMPQ(at, n)
	asm.JEQ(operand.LabelRef("done"))
	if level.bits == 512 {
		mask, v := opmask(n, width), level.vec()
		asm.VCVTPH2PS_Z(source(0), mask, v)
		asm.VMOVUPS(v, mask, target(0))
	} else {
		// The last vector goes back over values that are done already, where there are enough.
		asm.CMPQ(n, operand.Imm(uint64(width)))
		asm.JLT(operand.LabelRef("one"))
		asm.LEAQ(operand.Mem{Base: n, Disp: -width}, at)
		chunks(1)
		asm.JMP(operand.LabelRef("done"))
		asm.Label("one")
		bits, v := asm.GP32(), asm.XMM()
		asm.MOVWLZX(source(0), bits)
		asm.VMOVD(bits, v)
		asm.VCVTPH2PS(v, v)
		asm.VMOVSS(v, target(0))
		asm.INCQ(at)
		asm.CMPQ(at, n)
		asm.JLT(operand.LabelRef("one"))
	}
	asm.Label("done")
	asm.VZEROUPPER()
	asm.RET()
}
