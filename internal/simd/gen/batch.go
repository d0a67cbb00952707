package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	group = 4 // rows computed together

	// Rows asked for ahead of those at work: enough to keep memory busy, and the short rows of a list nearly at once.
	aheadLong  = 8
	aheadShort = 16
	longRow    = 768 // bytes
)

// batch emits the kernel of one query and many rows.
func (k kernel) batch() {
	kind := "batchL2"
	if k.metric == dot {
		kind = "batchIP"
	}
	function(k.name(kind),
		"func(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)")
	query, dim := load(asm.Param("query")), load(asm.Param("dim"))
	ids, end := load(asm.Param("ids").Base()), load(asm.Param("ids").Len())
	out := load(asm.Param("out").Base())
	asm.LEAQ(operand.Mem{Base: ids, Index: end, Scale: 4}, end)

	size := asm.GP64()
	asm.MOVQ(dim, size)
	if k.size() > 1 {
		asm.IMUL3Q(operand.Imm(uint64(k.size())), size, size)
	}
	if _, ok := k.elem.(scaled); ok {
		asm.ADDQ(operand.Imm(scaleRoom), size)
	}
	ahead, until := asm.GP64(), asm.GP64()
	asm.MOVQ(ids, ahead)
	asm.LEAQ(operand.Mem{Base: ids, Disp: 4 * aheadShort}, until)
	nearer := asm.GP64()
	asm.LEAQ(operand.Mem{Base: ids, Disp: 4 * aheadLong}, nearer)
	asm.CMPQ(size, operand.U32(longRow))
	asm.CMOVQGE(nearer, until)
	k.ask("first", ahead, until, end, size)

	c := k.prepare(query, dim)
	asm.JMP(operand.LabelRef("group_test"))
	asm.Label("group")
	asm.LEAQ(operand.Mem{Base: ahead, Disp: 4 * group}, until)
	k.ask("next", ahead, until, end, size)
	row := make([]reg.Register, group)
	for i := range row {
		row[i] = address(operand.Mem{Base: ids, Disp: 4 * i})
	}
	sums := k.finish(k.rows("group", query, row, dim, c))
	asm.VMOVUPS(sums.AsX(), operand.Mem{Base: out})
	asm.ADDQ(operand.Imm(4*group), ids)
	asm.ADDQ(operand.Imm(4*group), out)
	asm.Label("group_test")
	rest := asm.GP64()
	asm.LEAQ(operand.Mem{Base: ids, Disp: 4 * group}, rest)
	asm.CMPQ(rest, end)
	asm.JLS(operand.LabelRef("group"))

	asm.JMP(operand.LabelRef("one_test"))
	asm.Label("one")
	sum := k.finish(k.rows("one", query, []reg.Register{address(operand.Mem{Base: ids})}, dim, c))
	asm.VMOVSS(sum.AsX(), operand.Mem{Base: out})
	asm.ADDQ(operand.Imm(4), ids)
	asm.ADDQ(operand.Imm(4), out)
	asm.Label("one_test")
	asm.CMPQ(ids, end)
	asm.JCS(operand.LabelRef("one"))
	asm.VZEROUPPER()
	asm.RET()
}

// ask prefetches the rows whose ids lie from ahead up to until or the end of the list.
func (k kernel) ask(label string, ahead, until, end, size reg.Register) {
	asm.CMPQ(until, end)
	asm.CMOVQHI(end, until)
	asm.JMP(operand.LabelRef(label + "_row_test"))
	asm.Label(label + "_row")
	// Into the second level cache: Zen 4 has twice as many reads under way there as into the first.
	prefetchLines(asm.PREFETCHT1, label+"_line", address(operand.Mem{Base: ahead}), size)
	asm.ADDQ(operand.Imm(4), ahead)
	asm.Label(label + "_row_test")
	asm.CMPQ(ahead, until)
	asm.JCS(operand.LabelRef(label + "_row"))
}

// address computes where the row with the id at m starts.
func address(m operand.Mem) reg.Register {
	p := asm.GP64()
	asm.MOVL(m, p.As32())
	asm.IMULQ(memory(asm.Param("stride")), p)
	asm.ADDQ(memory(asm.Param("base")), p)
	return p
}

// finish turns sums into distances.
func (k kernel) finish(sums reg.VecVirtual) reg.VecVirtual {
	if k.metric == dot {
		one, x := asm.GP32(), asm.XMM()
		if k.integer() {
			asm.MOVL(operand.U32(1), one)
		} else {
			asm.MOVL(operand.Imm(0x3f800000), one)
		}
		asm.VMOVD(one, x)
		asm.VPBROADCASTD(x, x)
		if k.integer() {
			asm.VPSUBD(sums.AsX(), x, x)
		} else {
			asm.VSUBPS(sums.AsX(), x, x)
		}
		sums = x
	}
	if k.integer() {
		asm.VCVTDQ2PS(sums.AsX(), sums.AsX())
	}
	return sums
}
