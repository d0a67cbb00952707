package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// hadamard is the transform on a level of the instruction set. The first pass does all steps within a block of as many
// vectors as registers hold, each later one the steps between as many places further apart.
type hadamard struct {
	isa
	most     int              // vectors at once
	patterns []reg.VecVirtual // +1 and −1 for the steps within a vector
}

const longestHadamard = 4096

func hadamardKernels() {
	for _, h := range []*hadamard{{isa: avx2, most: 8}, {isa: avx512, most: 16}} {
		h.kernel()
	}
}

func (h *hadamard) bytes() int { return h.bits / 8 }

func (h *hadamard) kernel() {
	function("hadamard"+h.name, "func(x, signs *float32, n int)")
	asm.Doc(fmt.Sprintf("hadamard%s takes from %d elements, those of a vector, to %d.",
		h.name, h.bits/32, longestHadamard))
	x, signs, end := load(asm.Param("x")), load(asm.Param("signs")), load(asm.Param("n"))
	size := asm.GP64()
	asm.MOVQ(end, size)
	asm.SHLQ(operand.Imm(2), size)
	asm.LEAQ(operand.Mem{Base: x, Index: size, Scale: 1}, end)
	for step := 1; step < h.bits/32; step *= 2 {
		h.patterns = append(h.patterns, h.vec())
		asm.VMOVUPS(h.pattern(step), h.patterns[len(h.patterns)-1])
	}

	// What is shorter than a whole block is done at once.
	for n := h.most / 2; n >= 1; n /= 2 {
		next := fmt.Sprintf("longer_than_%d", n)
		asm.CMPQ(size, operand.U32(n*h.bytes()))
		asm.JNE(operand.LabelRef(next))
		h.within(x, signs, n)
		asm.JMP(operand.LabelRef("done"))
		asm.Label(next)
	}
	at := asm.GP64()
	asm.MOVQ(x, at)
	asm.Label("block")
	h.within(at, signs, h.most)
	asm.ADDQ(operand.U32(h.most*h.bytes()), at)
	asm.ADDQ(operand.U32(h.most*h.bytes()), signs)
	asm.CMPQ(at, end)
	asm.JCS(operand.LabelRef("block"))

	for apart := h.most * h.bytes(); apart < 4*longestHadamard; apart *= h.most {
		for n := 2; n <= h.most && n*apart <= 4*longestHadamard; n *= 2 {
			label := fmt.Sprintf("pass%d_%d", apart, n)
			asm.CMPQ(size, operand.U32(n*apart))
			if n < h.most {
				asm.JNE(operand.LabelRef(label + "_end"))
			} else {
				asm.JCS(operand.LabelRef("done"))
			}
			h.between(label, x, end, n, apart)
			if n < h.most {
				asm.JMP(operand.LabelRef("done"))
			}
			asm.Label(label + "_end")
		}
	}
	asm.Label("done")
	asm.VZEROUPPER()
	asm.RET()
}

// within multiplies a block of n vectors by the signs and transforms it.
func (h *hadamard) within(x, signs reg.Register, n int) {
	v := h.vecs(n)
	for i := range v {
		asm.VMOVUPS(operand.Mem{Base: x, Disp: i * h.bytes()}, v[i])
		asm.VMULPS(operand.Mem{Base: signs, Disp: i * h.bytes()}, v[i], v[i])
	}
	for step := range h.patterns {
		for i := range v {
			swapped := h.vec()
			h.swap(step, v[i], swapped)
			asm.VFMADD213PS(swapped, h.patterns[step], v[i]) // exact but for one rounding, as a sum or a difference is
		}
	}
	h.butterflies(v)
	for i := range v {
		asm.VMOVUPS(v[i], operand.Mem{Base: x, Disp: i * h.bytes()})
	}
}

// between transforms, for every place in a vector and every vector of the first so many bytes, the n values apart from
// each other; and so on in every block of n times as many bytes up to end.
func (h *hadamard) between(label string, x, end reg.Register, n, apart int) {
	block, at, first := asm.GP64(), asm.GP64(), asm.GP64()
	asm.MOVQ(x, block)
	asm.Label(label)
	asm.MOVQ(block, at)
	asm.LEAQ(operand.Mem{Base: block, Disp: apart}, first)
	asm.Label(label + "_vector")
	v := h.vecs(n)
	for i := range v {
		asm.VMOVUPS(operand.Mem{Base: at, Disp: i * apart}, v[i])
	}
	h.butterflies(v)
	for i := range v {
		asm.VMOVUPS(v[i], operand.Mem{Base: at, Disp: i * apart})
	}
	asm.ADDQ(operand.Imm(uint64(h.bytes())), at)
	asm.CMPQ(at, first)
	asm.JCS(operand.LabelRef(label + "_vector"))
	asm.ADDQ(operand.U32(n*apart), block)
	asm.CMPQ(block, end)
	asm.JCS(operand.LabelRef(label))
}

// butterflies transforms vectors, one value of each at a time.
func (h *hadamard) butterflies(v []reg.VecVirtual) {
	for step := 1; step < len(v); step *= 2 {
		for i := range v {
			if i&step == 0 {
				difference := h.vec()
				asm.VSUBPS(v[i+step], v[i], difference)
				asm.VADDPS(v[i+step], v[i], v[i])
				v[i+step] = difference
			}
		}
	}
}

// swap exchanges neighbours: single values in step 0, pairs in step 1 and so on.
func (h *hadamard) swap(step int, v, to reg.VecVirtual) {
	pairs, halves := operand.Imm(0b10110001), operand.Imm(0b01001110)
	switch {
	case step == 0:
		asm.VPERMILPS(pairs, v, to)
	case step == 1:
		asm.VPERMILPS(halves, v, to)
	case h.bits == 256:
		asm.VPERM2F128(operand.Imm(1), v, v, to)
	case step == 2:
		asm.VSHUFF32X4(pairs, v, v, to)
	default:
		asm.VSHUFF32X4(halves, v, v, to)
	}
}

// hadamardPatterns are those of a whole vector by step, shared by the levels.
var hadamardPatterns = map[int]operand.Mem{}

// pattern is +1 for step values, −1 for as many, and so on.
func (h *hadamard) pattern(step int) operand.Mem {
	m, ok := hadamardPatterns[step]
	if !ok {
		m = asm.StaticGlobal(fmt.Sprintf("hadamard%d", step))
		asm.DataAttributes(attr.RODATA | attr.NOPTR)
		for i := range 16 {
			sign := float32(1)
			if i&step != 0 {
				sign = -1
			}
			asm.AddDatum(4*i, operand.U32(math.Float32bits(sign)))
		}
		hadamardPatterns[step] = m
	}
	return m
}
