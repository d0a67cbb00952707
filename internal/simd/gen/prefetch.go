package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const line = 64

// prefetchLines asks, by the given instruction, for every cache line of the size bytes at p. It changes p.
func prefetchLines(prefetch func(operand.Op), label string, p, size reg.Register) {
	end := asm.GP64()
	asm.LEAQ(operand.Mem{Base: p, Index: size, Scale: 1}, end)
	asm.ANDQ(operand.I8(-line), p)
	asm.JMP(operand.LabelRef(label + "_test"))
	align()
	asm.Label(label)
	prefetch(operand.Mem{Base: p})
	asm.ADDQ(operand.Imm(line), p)
	asm.Label(label + "_test")
	asm.CMPQ(p, end)
	asm.JCS(operand.LabelRef(label))
}

func prefetchFunc() {
	function("Prefetch", "func(p unsafe.Pointer, n int)")
	asm.Doc("Prefetch asks for the cache lines of n bytes at p.")
	prefetchLines(asm.PREFETCHT0, "line", load(asm.Param("p")), load(asm.Param("n")))
	asm.RET()

	function("PrefetchRows", "func(base unsafe.Pointer, stride uintptr, size int, ids []uint32)")
	asm.Doc("PrefetchRows asks for the cache lines of the first size bytes of the rows base + ids[i]*stride.")
	base, stride, size := load(asm.Param("base")), load(asm.Param("stride")), load(asm.Param("size"))
	ids, n := load(asm.Param("ids").Base()), load(asm.Param("ids").Len())
	row := asm.GP64()
	asm.JMP(operand.LabelRef("next"))
	asm.Label("row")
	asm.MOVL(operand.Mem{Base: ids}, row.As32())
	asm.ADDQ(operand.Imm(4), ids)
	asm.DECQ(n)
	asm.IMULQ(stride, row)
	asm.ADDQ(base, row)
	prefetchLines(asm.PREFETCHT1, "line", row, size)
	asm.Label("next")
	asm.TESTQ(n, n)
	asm.JNE(operand.LabelRef("row"))
	asm.RET()
}
