package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// lookUpKernels sum up look-ups of codes of product quantization.
func lookUpKernels() {
	lookUp8()
	lookUp4()
}

// lookUpList is what both kernels keep in registers.
type lookUpList struct {
	query, ids, end, out, base, stride reg.Register
}

const lookUpSignature = "func(q *LookUp, base unsafe.Pointer, stride uintptr, ids []uint32, out []float32)"

func lookUpArguments() lookUpList {
	l := lookUpList{
		query: load(asm.Param("q")), ids: load(asm.Param("ids").Base()), out: load(asm.Param("out").Base()),
		base: load(asm.Param("base")), stride: load(asm.Param("stride")), end: load(asm.Param("ids").Len()),
	}
	asm.LEAQ(operand.Mem{Base: l.ids, Index: l.end, Scale: 4}, l.end)
	return l
}

// rowOf is the address of the row whose id lies at.
func (l lookUpList) rowOf(at operand.Mem) reg.Register {
	row := asm.GP64()
	asm.MOVL(at, row.As32())
	asm.IMULQ(l.stride, row)
	asm.ADDQ(l.base, row)
	return row
}

// askAll prefetches all rows, unless that has been done.
func (l lookUpList) askAll(bytes reg.Register) {
	asm.CMPQ(field("q", l.query, "Asked"), operand.Imm(0))
	asm.JNE(operand.LabelRef("asked"))
	at := asm.GP64()
	asm.MOVQ(l.ids, at)
	asm.JMP(operand.LabelRef("ask_test"))
	asm.Label("ask")
	row, last := l.rowOf(operand.Mem{Base: at}), asm.GP64()
	asm.LEAQ(operand.Mem{Base: row, Index: bytes, Scale: 1, Disp: -1}, last)
	asm.Label("ask_line")
	asm.PREFETCHT1(operand.Mem{Base: row})
	asm.ADDQ(operand.Imm(line), row)
	asm.CMPQ(row, last)
	asm.JCS(operand.LabelRef("ask_line"))
	asm.PREFETCHT1(operand.Mem{Base: last})
	asm.ADDQ(operand.Imm(4), at)
	asm.Label("ask_test")
	asm.CMPQ(at, l.end)
	asm.JCS(operand.LabelRef("ask"))
	asm.Label("asked")
}

// lookUp8 takes eight codes at a time out of a register. Vectors don't help: gathering takes as long as loading one by
// one, and permuting would have to read all of a table for few rows.
func lookUp8() {
	function("lookUp8AMD64", lookUpSignature)
	l := lookUpArguments()
	bytes := asm.GP64()
	asm.MOVQ(field("q", l.query, "Bytes"), bytes)
	l.askAll(bytes)
	asm.JMP(operand.LabelRef("row_test"))
	asm.Label("row")
	code, left, table := l.rowOf(operand.Mem{Base: l.ids}), asm.GP64(), asm.GP64()
	sum, more := asm.GP64(), asm.GP64()
	asm.MOVQ(bytes, left)
	asm.MOVQ(field("q", l.query, "Table"), table)
	asm.XORL(sum.As32(), sum.As32())
	asm.XORL(more.As32(), more.As32())
	asm.SUBQ(operand.Imm(8), left)
	asm.JCS(operand.LabelRef("tail"))
	asm.Label("eight")
	asm.MOVQ(operand.Mem{Base: code}, reg.RAX)
	for i := range 4 {
		low, high := asm.GP64(), asm.GP64()
		asm.MOVBLZX(reg.AL, low.As32())
		asm.MOVBLZX(reg.AH, high.As32())
		asm.MOVBLZX(operand.Mem{Base: table, Index: low, Scale: 1, Disp: 512 * i}, low.As32())
		asm.MOVBLZX(operand.Mem{Base: table, Index: high, Scale: 1, Disp: 512*i + 256}, high.As32())
		asm.ADDL(low.As32(), sum.As32())
		asm.ADDL(high.As32(), more.As32())
		if i < 3 {
			asm.SHRQ(operand.Imm(16), reg.RAX)
		}
	}
	asm.ADDQ(operand.Imm(8), code)
	asm.ADDQ(operand.U32(2048), table)
	asm.SUBQ(operand.Imm(8), left)
	asm.JCC(operand.LabelRef("eight"))
	asm.Label("tail")
	asm.ADDQ(operand.Imm(8), left)
	asm.JEQ(operand.LabelRef("summed"))
	asm.Label("one")
	c := asm.GP64()
	asm.MOVBLZX(operand.Mem{Base: code}, c.As32())
	asm.MOVBLZX(operand.Mem{Base: table, Index: c, Scale: 1}, c.As32())
	asm.ADDL(c.As32(), sum.As32())
	asm.INCQ(code)
	asm.ADDQ(operand.U32(256), table)
	asm.DECQ(left)
	asm.JNE(operand.LabelRef("one"))
	asm.Label("summed")
	asm.ADDL(more.As32(), sum.As32())
	distance := asm.XMM()
	asm.VXORPS(distance, distance, distance)
	asm.VCVTSI2SSL(sum.As32(), distance, distance)
	asm.VMULSS(field("q", l.query, "Step"), distance, distance)
	asm.VADDSS(field("q", l.query, "Base"), distance, distance)
	asm.VMOVSS(distance, operand.Mem{Base: l.out})
	asm.ADDQ(operand.Imm(4), l.ids)
	asm.ADDQ(operand.Imm(4), l.out)
	asm.Label("row_test")
	asm.CMPQ(l.ids, l.end)
	asm.JCS(operand.LabelRef("row"))
	asm.RET()
}

const (
	lookUpRows  = 16 // rows at a time: as many bytes as a lane has
	lookUpTable = 2048
)

// lookUp4 takes 16 rows and 64 bytes of each at a time. It turns them around, so that a vector holds, in each of its
// four lanes, one byte of all rows, and looks up 16 codes at once in a table that fills a lane (as André, Kermarrec &
// Le Scouarnec, PVLDB 2015, do with rows that are stored that way).
func lookUp4() {
	function("lookUp4AVX512", lookUpSignature)
	l := lookUpArguments()
	bytes := asm.GP64()
	asm.MOVQ(field("q", l.query, "Bytes"), bytes)
	l.askAll(bytes)
	last := asm.GP64()
	asm.LEAQ(operand.Mem{Base: l.end, Disp: -4}, last)
	rows := asm.AllocLocal(8 * lookUpRows)
	fifteen, low := asm.ZMM(), asm.ZMM()
	constant := asm.GP32()
	asm.MOVL(operand.U32(0x0f0f0f0f), constant)
	asm.VPBROADCASTD(constant, fifteen)
	asm.MOVL(operand.U32(0x00ff00ff), constant)
	asm.VPBROADCASTD(constant, low)
	sums := [2]reg.VecVirtual{asm.YMM(), asm.YMM()} // of even and of odd rows

	asm.JMP(operand.LabelRef("rows_test"))
	asm.Label("rows")
	for i := range lookUpRows { // the last row takes the place of those that there are not
		at := asm.GP64()
		asm.LEAQ(operand.Mem{Base: l.ids, Disp: 4 * i}, at)
		asm.CMPQ(at, last)
		asm.CMOVQHI(last, at)
		asm.MOVQ(l.rowOf(operand.Mem{Base: at}), rows.Offset(8*i))
	}
	for _, s := range sums {
		asm.VPXORD(s, s, s)
	}
	table, at, left := asm.GP64(), asm.GP64(), asm.GP64()
	asm.MOVQ(field("q", l.query, "Table"), table)
	asm.XORL(at.As32(), at.As32())
	asm.MOVQ(bytes, left)
	asm.Label("block")
	present, bits := asm.K(), asm.GP64() // bytes of the row that there are
	asm.MOVQ(operand.I32(-1), bits)
	asm.CMPQ(left, operand.Imm(64))
	asm.JCC(operand.LabelRef("whole"))
	asm.BZHIQ(left, bits, bits)
	asm.Label("whole")
	asm.KMOVQ(bits, present)
	held := make([]reg.VecVirtual, lookUpRows)
	for i := range held {
		row := asm.GP64()
		asm.MOVQ(rows.Offset(8*i), row)
		held[i] = asm.ZMM()
		asm.VMOVDQU8_Z(operand.Mem{Base: row, Index: at, Scale: 1}, present, held[i])
	}
	held = turned(held)
	words, odd := asm.ZMM(), asm.ZMM()
	asm.VPXORD(words, words, words)
	asm.VPXORD(odd, odd, odd)
	for c, codes := range held {
		upper := asm.ZMM()
		asm.VPSRLW(operand.Imm(4), codes, upper)
		asm.VPANDD(fifteen, codes, codes)
		asm.VPANDD(fifteen, upper, upper)
		for half, index := range []reg.VecVirtual{codes, upper} {
			entries := asm.ZMM()
			asm.VMOVDQU64(operand.Mem{Base: table, Disp: 128*c + 64*half}, entries)
			asm.VPSHUFB(index, entries, entries)
			asm.VPADDW(entries, words, words) // those of odd rows are counted out below
			asm.VPSRLW(operand.Imm(8), entries, entries)
			asm.VPADDW(entries, odd, odd)
		}
	}
	even := asm.ZMM()
	asm.VPSLLW(operand.Imm(8), odd, even)
	asm.VPSUBW(even, words, even)
	for i, v := range []reg.VecVirtual{even, odd} {
		asm.VPADDD(lanes(v), sums[i], sums[i])
	}
	asm.ADDQ(operand.Imm(64), at)
	asm.ADDQ(operand.U32(lookUpTable), table)
	asm.SUBQ(operand.Imm(64), left)
	asm.JHI(operand.LabelRef("block"))

	step, base := asm.YMM(), asm.YMM()
	asm.VBROADCASTSS(field("q", l.query, "Step"), step)
	asm.VBROADCASTSS(field("q", l.query, "Base"), base)
	for _, s := range sums {
		asm.VCVTDQ2PS(s, s)
		asm.VMULPS(step, s, s)
		asm.VADDPS(base, s, s)
	}
	first, second := asm.YMM(), asm.YMM() // rows 0 … 3 and 8 … 11; 4 … 7 and 12 … 15
	asm.VUNPCKLPS(sums[1], sums[0], first)
	asm.VUNPCKHPS(sums[1], sums[0], second)
	lower, higher := asm.YMM(), asm.YMM()
	asm.VSHUFF32X4(operand.Imm(0), second, first, lower)
	asm.VSHUFF32X4(operand.Imm(3), second, first, higher)
	all, mask, count := asm.ZMM(), asm.K(), asm.GP64()
	asm.VINSERTF32X8(operand.Imm(1), higher, lower.AsZ(), all)
	asm.MOVQ(l.end, count)
	asm.SUBQ(l.ids, count)
	asm.SHRQ(operand.Imm(2), count)
	ones, most := asm.GP64(), asm.GP64()
	asm.MOVQ(operand.U32(lookUpRows), most)
	asm.CMPQ(count, most)
	asm.CMOVQHI(most, count) // BZHI reads the lowest byte only
	asm.MOVQ(operand.I32(-1), ones)
	asm.BZHIQ(count, ones, ones)
	asm.KMOVW(ones.As32(), mask)
	asm.VMOVUPS(all, mask, operand.Mem{Base: l.out})
	asm.ADDQ(operand.Imm(4*lookUpRows), l.ids)
	asm.ADDQ(operand.Imm(4*lookUpRows), l.out)
	asm.Label("rows_test")
	asm.CMPQ(l.ids, l.end)
	asm.JCS(operand.LabelRef("rows"))
	asm.VZEROUPPER()
	asm.RET()
}

// turned makes, of 16 vectors that hold 64 bytes of a row each, 16 that hold a byte of all rows in each lane: byte c of
// every 16 in vector c. Each of four rounds interleaves row i with row i + 8.
func turned(held []reg.VecVirtual) []reg.VecVirtual {
	for range 4 {
		next := make([]reg.VecVirtual, len(held))
		for i := range held[:len(held)/2] {
			next[2*i], next[2*i+1] = asm.ZMM(), asm.ZMM()
			asm.VPUNPCKLBW(held[i+8], held[i], next[2*i])
			asm.VPUNPCKHBW(held[i+8], held[i], next[2*i+1])
		}
		held = next
	}
	return held
}

// lanes adds up the four lanes of eight words each, to eight sums of 32 bits. Those of a block are at most 32,640.
func lanes(v reg.VecVirtual) reg.VecVirtual {
	half, quarter := asm.YMM(), asm.XMM()
	asm.VEXTRACTI64X4(operand.Imm(1), v, half)
	asm.VPADDW(v.(reg.Vec).AsY(), half, half)
	asm.VEXTRACTI32X4(operand.Imm(1), half, quarter)
	asm.VPADDW(half.AsX(), quarter, quarter)
	sums := asm.YMM()
	asm.VPMOVZXWD(quarter, sums)
	return sums
}
