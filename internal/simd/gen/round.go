package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// roundKernel writes the rounding of queries to bytes, eight at a time.
func roundKernel() {
	function("roundAVX2", "func(dst *int8, v *float32, n int, inv, step float32) int")
	asm.Doc("roundAVX2 takes a multiple of 8 values.")
	dst, v, end := load(asm.Param("dst")), load(asm.Param("v")), load(asm.Param("n"))
	inv, step, sum := asm.YMM(), asm.YMM(), asm.YMM()
	asm.VBROADCASTSS(memory(asm.Param("inv")), inv)
	asm.VBROADCASTSS(memory(asm.Param("step")), step)
	asm.VPXOR(sum, sum, sum)
	at := asm.GP64()
	asm.XORL(at.As32(), at.As32())
	asm.JMP(operand.LabelRef("test"))
	asm.Label("eight")
	from := operand.Mem{Base: v, Index: at, Scale: 4}
	value, whole, high := asm.YMM(), asm.YMM(), asm.XMM()
	asm.VMOVUPS(from, value)
	asm.VMULPS(inv, value, whole)
	asm.VCVTPS2DQ(whole, whole) // to the nearest, halves to the even one
	asm.VPADDD(whole, sum, sum)
	asm.VEXTRACTI128(operand.Imm(1), whole, high)
	asm.VPACKSSDW(high, whole.AsX(), high)
	asm.VPACKSSWB(high, high, high)
	asm.VMOVQ(high, operand.Mem{Base: dst, Index: at, Scale: 1})
	asm.VCVTDQ2PS(whole, whole)
	asm.VMULPS(step, whole, whole)
	asm.VSUBPS(whole, value, value)
	asm.VMOVUPS(value, from)
	asm.ADDQ(operand.Imm(8), at)
	asm.Label("test")
	asm.CMPQ(at, end)
	asm.JCS(operand.LabelRef("eight"))
	total := addUp(sum)
	asm.VZEROUPPER()
	asm.MOVQ(total, memory(asm.ReturnIndex(0)))
	asm.RET()
}

// addUp is the sum of eight int32.
func addUp(sum reg.VecVirtual) reg.GPVirtual {
	half, total := asm.XMM(), asm.GP64()
	asm.VEXTRACTI128(operand.Imm(1), sum, half)
	asm.VPADDD(half, sum.AsX(), half)
	asm.VPHADDD(half, half, half)
	asm.VPHADDD(half, half, half)
	asm.VMOVD(half, total.As32())
	asm.MOVLQSX(total.As32(), total)
	return total
}
