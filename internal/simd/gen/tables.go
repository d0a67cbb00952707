package main

import (
	"github.com/mmcloughlin/avo/operand"
)

// tableKernels write the look-up tables of product quantization.
func tableKernels() {
	for _, s := range []isa{avx2, avx512} {
		s.tables()
	}
}

const (
	tableRow = 256 * 4 // bytes of a row of a table
	sumsHeld = 8       // vectors of a row that are summed at a time
)

// tables writes out[m][c] = init[m][c] + Σ v[m][j]·books[m][j][c].
func (s isa) tables() {
	name := "tables" + s.name
	function(name, "func(out, init, books, v *float32, subvectors, width int)")
	asm.Doc(name + " takes at least one sub-vector and one value of each.")
	out, init, books := load(asm.Param("out")), load(asm.Param("init")), load(asm.Param("books"))
	v, left, width := load(asm.Param("v")), load(asm.Param("subvectors")), load(asm.Param("width"))
	step := sumsHeld * s.bits / 8
	at, value, column, values := asm.GP64(), s.vec(), asm.GP64(), asm.GP64()
	sums := s.vecs(sumsHeld)
	asm.Label("subvector")
	asm.XORL(at.As32(), at.As32())
	asm.Label("part")
	for i, sum := range sums {
		asm.VMOVUPS(operand.Mem{Base: init, Index: at, Scale: 1, Disp: i * s.bits / 8}, sum)
	}
	asm.LEAQ(operand.Mem{Base: books, Index: at, Scale: 1}, column)
	asm.XORL(values.As32(), values.As32())
	asm.Label("value")
	asm.VBROADCASTSS(operand.Mem{Base: v, Index: values, Scale: 4}, value)
	for i, sum := range sums {
		asm.VFMADD231PS(operand.Mem{Base: column, Disp: i * s.bits / 8}, value, sum)
	}
	asm.ADDQ(operand.U32(tableRow), column)
	asm.INCQ(values)
	asm.CMPQ(values, width)
	asm.JCS(operand.LabelRef("value"))
	for i, sum := range sums {
		asm.VMOVUPS(sum, operand.Mem{Base: out, Index: at, Scale: 1, Disp: i * s.bits / 8})
	}
	asm.ADDQ(operand.U32(step), at)
	asm.CMPQ(at, operand.U32(tableRow))
	asm.JCS(operand.LabelRef("part"))
	asm.ADDQ(operand.U32(tableRow), init)
	asm.ADDQ(operand.U32(tableRow), out)
	asm.LEAQ(operand.Mem{Base: v, Index: width, Scale: 4}, v)
	all := asm.GP64()
	asm.MOVQ(width, all)
	asm.SHLQ(operand.U8(10), all)
	asm.ADDQ(all, books)
	asm.DECQ(left)
	asm.JNE(operand.LabelRef("subvector"))
	asm.VZEROUPPER()
	asm.RET()
}
