package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// maskTable is 32 zero bytes, 32 set ones and 32 zero ones: a window of 32 bytes on it is a mask of the first or the
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
