package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// decoder writes a routine that turns numbers of another type into floats.
type decoder struct {
	level     isa
	name      string
	signature string
	size      uint8  // bytes of a number
	prepare   func() // readies what all numbers share
	// several turns a vector of numbers into floats; mask, if not nil, tells which there are.
	several func(from operand.Mem, mask reg.Register, to reg.VecVirtual)
	// one turns one number into a float.
	one func(from operand.Mem, to reg.VecVirtual)
}

func decodeKernels() {
	for _, level := range []isa{avx2, avx512} {
		halves(level).write()
	}
	for _, level := range []isa{avx2, avx512} {
		scaledBytes(level).write()
	}
}

// halves decodes half floats.
func halves(level isa) *decoder {
	return &decoder{
		level: level, name: "decodeF16", signature: "func(dst *float32, src *uint16, n int)", size: 2,
		several: func(from operand.Mem, mask reg.Register, to reg.VecVirtual) {
			if mask == nil {
				asm.VCVTPH2PS(from, to)
			} else {
				asm.VCVTPH2PS_Z(from, mask, to)
			}
		},
		one: func(from operand.Mem, to reg.VecVirtual) {
			bits := asm.GP32()
			asm.MOVWLZX(from, bits)
			asm.VMOVD(bits, to)
			asm.VCVTPH2PS(to, to)
		},
	}
}

// scaledBytes decodes signed bytes, each times a factor.
func scaledBytes(level isa) *decoder {
	d := &decoder{level: level, name: "decodeI8", signature: "func(dst *float32, src *int8, n int, scale float32)", size: 1}
	scale := level.vec()
	d.prepare = func() { asm.VBROADCASTSS(memory(asm.Param("scale")), scale) }
	times := func(v, by reg.Register) {
		asm.VCVTDQ2PS(v, v)
		asm.VMULPS(by, v, v)
	}
	d.several = func(from operand.Mem, mask reg.Register, to reg.VecVirtual) {
		if mask == nil {
			asm.VPMOVSXBD(from, to)
		} else {
			asm.VPMOVSXBD_Z(from, mask, to)
		}
		times(to, scale)
	}
	d.one = func(from operand.Mem, to reg.VecVirtual) {
		bits := asm.GP32()
		asm.MOVBLSX(from, bits)
		asm.VMOVD(bits, to)
		times(to, scale.AsX())
	}
	return d
}

func (d *decoder) write() {
	level := d.level
	function(d.name+level.name, d.signature)
	to, from, n := load(asm.Param("dst")), load(asm.Param("src")), load(asm.Param("n"))
	if d.prepare != nil {
		d.prepare()
	}
	width := level.bits / 32
	at, next := asm.GP64(), asm.GP64()
	asm.XORL(at.As32(), at.As32())
	source := func(skip int) operand.Mem {
		return operand.Mem{Base: from, Index: at, Scale: d.size, Disp: int(d.size) * skip}
	}
	target := func(skip int) operand.Mem { return operand.Mem{Base: to, Index: at, Scale: 4, Disp: 4 * skip} }
	chunks := func(count int) {
		for i := range count {
			v := level.vec()
			d.several(source(i*width), nil, v)
			asm.VMOVUPS(v, target(i*width))
		}
	}
	steps("wide", at, next, n, 4*width, func() { chunks(4) })
	steps("narrow", at, next, n, width, func() { chunks(1) })
	asm.CMPQ(at, n)
	asm.JEQ(operand.LabelRef("done"))
	if level.bits == 512 {
		mask, v := opmask(n, width), level.vec()
		d.several(source(0), mask, v)
		asm.VMOVUPS(v, mask, target(0))
	} else {
		// The last vector goes back over values that are done already, where there are enough.
		asm.CMPQ(n, operand.Imm(uint64(width)))
		asm.JLT(operand.LabelRef("one"))
		asm.LEAQ(operand.Mem{Base: n, Disp: -width}, at)
		chunks(1)
		asm.JMP(operand.LabelRef("done"))
		asm.Label("one")
		v := asm.XMM()
		d.one(source(0), v)
		asm.VMOVSS(v, target(0))
		asm.INCQ(at)
		asm.CMPQ(at, n)
		asm.JLT(operand.LabelRef("one"))
	}
	asm.Label("done")
	asm.VZEROUPPER()
	asm.RET()
}
