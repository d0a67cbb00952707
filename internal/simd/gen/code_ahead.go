package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// codeRowsAhead is how many rows are asked for ahead of those at work: more than most lists of a graph walk have.
const codeRowsAhead = 32

// codeAhead is how far rows have been asked for and what of each. A row takes few lines and always as many: if all rows
// start on a line those from its first byte on, otherwise the line of its last byte may be one more.
type codeAhead struct {
	next  reg.Register // the place in the list
	last  operand.Mem  // the offset in a row of its last byte
	lines operand.Mem  // the lines to ask for besides that
}

// aheadOf is nothing asked for yet.
func (k codes) aheadOf(l codeList) codeAhead {
	a := codeAhead{asm.GP64(), asm.AllocLocal(8), asm.AllocLocal(8)}
	asm.MOVQ(l.ids, a.next)
	asm.CMPQ(field("q", l.query, "Asked"), operand.Imm(0))
	asm.CMOVQNE(l.end, a.next)
	size, end := asm.GP64(), asm.GP64()
	asm.MOVQ(field("q", l.query, "Factors"), size)
	asm.ADDQ(operand.Imm(8), size)
	for _, p := range k.split("", shape{}) {
		asm.MOVQ(field("q", l.query, p.number), end)
		asm.SHLQ(operand.Imm(6), end)
		if p.at != "" {
			asm.ADDQ(field("q", l.query, p.at), end)
		}
		asm.CMPQ(end, size)
		asm.CMOVQGT(end, size)
	}
	asm.DECQ(size)
	asm.MOVQ(size, a.last)
	asm.SHRQ(operand.Imm(6), size)
	start := load(asm.Param("base"))
	asm.ORQ(memory(asm.Param("stride")), start)
	asm.ANDQ(operand.Imm(line-1), start)
	asm.NEGQ(start) // sets the carry flag unless it is zero
	asm.ADCQ(operand.Imm(0), size)
	asm.MOVQ(size, a.lines)
	return a
}

// ask prefetches the next n rows of the list, or what is left of it.
func (a codeAhead) ask(label string, n int, l codeList) {
	until := asm.GP64()
	asm.LEAQ(operand.Mem{Base: a.next, Disp: 4 * n}, until)
	asm.CMPQ(until, l.end)
	asm.CMOVQHI(l.end, until)
	asm.JMP(operand.LabelRef(label + "_row_test"))
	asm.Label(label + "_row")
	row, lines, last := address(operand.Mem{Base: a.next}), asm.GP64(), asm.GP64()
	asm.MOVQ(a.last, last)
	// Into the second level cache, as in batch: two thirds of the time for rows of two lines in memory.
	asm.PREFETCHT1(operand.Mem{Base: row, Index: last, Scale: 1})
	asm.MOVQ(a.lines, lines)
	asm.JMP(operand.LabelRef(label + "_line_test"))
	align()
	asm.Label(label + "_line")
	asm.PREFETCHT1(operand.Mem{Base: row})
	asm.ADDQ(operand.Imm(line), row)
	asm.DECQ(lines)
	asm.Label(label + "_line_test")
	asm.TESTQ(lines, lines)
	asm.JNE(operand.LabelRef(label + "_line"))
	asm.ADDQ(operand.Imm(4), a.next)
	asm.Label(label + "_row_test")
	asm.CMPQ(a.next, until)
	asm.JCS(operand.LabelRef(label + "_row"))
}
