package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// decodeKernels write the routines that turn rows into float32.
func decodeKernels() {
	for _, level := range []isa{avx2, avx512} {
		decodeHalves(level)
	}
	for _, level := range []isa{avx2, avx512} {
		decodeScaled(level)
	}
}

// source is how elements are read, each size bytes: a vector of them, the first ones of a vector, or one.
type source struct {
	size  int
	all   func(from operand.Mem) reg.VecVirtual
	first func(from operand.Mem, mask reg.Register) reg.VecVirtual
	one   func(from operand.Mem) reg.VecVirtual
}

func decodeHalves(level isa) {
	function("decodeF16"+level.name, "func(dst *float32, src *uint16, n int)")
	to, from, n := load(asm.Param("dst")), load(asm.Param("src")), load(asm.Param("n"))
	decode(level, to, from, n, source{
		size: 2,
		all: func(from operand.Mem) reg.VecVirtual {
			v := level.vec()
			asm.VCVTPH2PS(from, v)
			return v
		},
		first: func(from operand.Mem, mask reg.Register) reg.VecVirtual {
			v := level.vec()
			asm.VCVTPH2PS_Z(from, mask, v)
			return v
		},
		one: func(from operand.Mem) reg.VecVirtual {
			bits, v := asm.GP32(), asm.YMM()
			asm.MOVWLZX(from, bits)
			asm.VMOVD(bits, v.AsX())
			asm.VCVTPH2PS(v.AsX(), v.AsX())
			return v
		},
	})
}

func decodeScaled(level isa) {
	function("decodeSQ8"+level.name, "func(dst *float32, row unsafe.Pointer, n int)")
	to, from, n := load(asm.Param("dst")), load(asm.Param("row")), load(asm.Param("n"))
	s := scaledBytes{level}
	scale := s.scales([]reg.Register{from}, n)[0]
	decode(level, to, from, n, source{
		size: 1,
		all:  func(from operand.Mem) reg.VecVirtual { return s.widen(from, scale) },
		first: func(from operand.Mem, mask reg.Register) reg.VecVirtual {
			return s.widenFirst(from, mask, scale)
		},
		one: func(from operand.Mem) reg.VecVirtual { return s.widenOne(from, scale) },
	})
}

// decode writes n elements from from to to, and ends the function.
func decode(level isa, to, from, n reg.Register, s source) {
	width := level.bits / 32
	at, next := asm.GP64(), asm.GP64()
	asm.XORL(at.As32(), at.As32())
	read := func(skip int) operand.Mem {
		return operand.Mem{Base: from, Index: at, Scale: uint8(s.size), Disp: s.size * skip}
	}
	target := func(skip int) operand.Mem { return operand.Mem{Base: to, Index: at, Scale: 4, Disp: 4 * skip} }
	chunks := func(count int) {
		for i := range count {
			asm.VMOVUPS(s.all(read(i*width)), target(i*width))
		}
	}
	steps("wide", at, next, n, 4*width, func() { chunks(4) })
	steps("narrow", at, next, n, width, func() { chunks(1) })
	asm.CMPQ(at, n)
	asm.JEQ(operand.LabelRef("done"))
	if level.bits == 512 {
		mask := opmask(n, width)
		asm.VMOVUPS(s.first(read(0), mask), mask, target(0))
	} else {
		// The last vector goes back over values that are done already, where there are enough.
		asm.CMPQ(n, operand.Imm(uint64(width)))
		asm.JLT(operand.LabelRef("one"))
		asm.LEAQ(operand.Mem{Base: n, Disp: -width}, at)
		chunks(1)
		asm.JMP(operand.LabelRef("done"))
		asm.Label("one")
		asm.VMOVSS(s.one(read(0)).AsX(), target(0))
		asm.INCQ(at)
		asm.CMPQ(at, n)
		asm.JLT(operand.LabelRef("one"))
	}
	asm.Label("done")
	asm.VZEROUPPER()
	asm.RET()
}
