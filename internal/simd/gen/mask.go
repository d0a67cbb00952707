package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// maskTable is 32 bytes of zeros, 32 of ones and 32 of zeros: a window of 32 bytes on it is a mask of the first or the
// last lanes of a vector.
var maskTable *operand.Mem

func maskWindow() operand.Mem {
	if maskTable == nil {
		m := asm.StaticGlobal("laneMasks")
		asm.DataAttributes(attr.RODATA | attr.NOPTR)
		for i := range 12 {
			var word uint64
			if i/4 == 1 {
				word = ^uint64(0)
			}
			asm.AddDatum(8*i, operand.U64(word))
		}
		maskTable = &m
	}
	return *maskTable
}

// remainder is dim mod width, for a width that is a power of two.
func remainder(dim reg.Register, width int) reg.GPVirtual {
	rest := asm.GP64()
	asm.MOVQ(dim, rest)
	asm.ANDQ(operand.Imm(uint64(width-1)), rest)
	return rest
}

// opmask selects the first dim mod width lanes.
func opmask(dim reg.Register, width int) reg.Register {
	bits, k := asm.GP64(), asm.K()
	asm.MOVQ(dim, reg.RCX)
	asm.ANDQ(operand.Imm(uint64(width-1)), reg.RCX)
	asm.MOVQ(operand.U32(1), bits)
	asm.SHLQ(reg.CL, bits)
	asm.DECQ(bits)
	asm.KMOVQ(bits, k)
	return k
}

// firstLanes sets the first dim mod width lanes of a 256-bit vector.
func firstLanes(dim reg.Register, width int) reg.Register {
	rest, table, mask := remainder(dim, width), asm.GP64(), asm.YMM()
	asm.LEAQ(maskWindow().Offset(64), table)
	lane := 32 / width
	asm.IMUL3Q(operand.I32(-lane), rest, rest)
	asm.VMOVDQU(operand.Mem{Base: table, Index: rest, Scale: 1}, mask)
	return mask
}

// lastLanes sets the last dim mod width lanes of a 256-bit vector.
func lastLanes(dim reg.Register, width int) reg.Register {
	rest, table, mask := remainder(dim, width), asm.GP64(), asm.YMM()
	asm.LEAQ(maskWindow(), table)
	asm.IMUL3Q(operand.I32(32/width), rest, rest)
	asm.VMOVDQU(operand.Mem{Base: table, Index: rest, Scale: 1}, mask)
	return mask
}

// overlap handles the last elements where no masked load is: whole takes the last chunk, of which lastLanes are new,
// and one takes single elements of rows that are shorter than a chunk.
func overlap(label string, c chunk, dim reg.Register, width int, whole, one func(chunk)) {
	asm.CMPQ(dim, operand.Imm(uint64(width)))
	asm.JLT(operand.LabelRef(label + "_scalar"))
	back := asm.GP64()
	asm.LEAQ(operand.Mem{Base: dim, Disp: -width}, back)
	whole(chunk{query: c.query, row: c.row, at: back})
	asm.JMP(operand.LabelRef(label + "_sum"))
	asm.Label(label + "_scalar")
	one(c)
	asm.INCQ(c.at)
	asm.CMPQ(c.at, dim)
	asm.JLT(operand.LabelRef(label + "_scalar"))
}
