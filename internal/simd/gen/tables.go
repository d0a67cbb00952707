package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// tableKernels write the look-up tables of product quantization.
func tableKernels() {
	for _, s := range []isa{avx2, avx512} {
		s.tables()
		s.ranges()
		s.tableBytes()
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

// ranges writes the smallest and the largest value of each row of a table.
func (s isa) ranges() {
	function("ranges"+s.name, "func(low, high, table *float32, rows int)")
	low, high, table, left := load(asm.Param("low")), load(asm.Param("high")),
		load(asm.Param("table")), load(asm.Param("rows"))
	size := s.bits / 8
	asm.Label("row")
	const chains = 4
	least, most := s.vecs(chains), s.vecs(chains)
	for i := range tableRow / size {
		at := operand.Mem{Base: table, Disp: i * size}
		if i < chains {
			asm.VMOVUPS(at, least[i])
			s.copyFloats(least[i], most[i])
			continue
		}
		asm.VMINPS(at, least[i%chains], least[i%chains])
		asm.VMAXPS(at, most[i%chains], most[i%chains])
	}
	for n := chains / 2; n > 0; n /= 2 {
		for i := range n {
			asm.VMINPS(least[i+n], least[i], least[i])
			asm.VMAXPS(most[i+n], most[i], most[i])
		}
	}
	for _, f := range []struct {
		v    reg.VecVirtual
		join func(...operand.Op)
		to   reg.Register
	}{{least[0], asm.VMINPS, low}, {most[0], asm.VMAXPS, high}} {
		asm.VMOVSS(s.fold(f.v, f.join), operand.Mem{Base: f.to})
		asm.ADDQ(operand.Imm(4), f.to)
	}
	asm.ADDQ(operand.U32(tableRow), table)
	asm.DECQ(left)
	asm.JNE(operand.LabelRef("row"))
	asm.VZEROUPPER()
	asm.RET()
}

func (s isa) copyFloats(from, to reg.VecVirtual) { asm.VMOVAPS(from, to) }

// fold joins all lanes of v into the first.
func (s isa) fold(v reg.VecVirtual, join func(...operand.Op)) reg.Register {
	y := v.(reg.Vec).AsY()
	if s.bits == 512 {
		upper := asm.YMM()
		asm.VEXTRACTF32X8(operand.Imm(1), v, upper)
		join(upper, y, upper)
		y = upper
	}
	x, other := asm.XMM(), asm.XMM()
	asm.VEXTRACTF128(operand.Imm(1), y, x)
	join(y.(reg.Vec).AsX(), x, x)
	asm.VPSHUFD(operand.Imm(0x4e), x, other)
	join(other, x, x)
	asm.VPSHUFD(operand.Imm(0xb1), x, other)
	join(other, x, x)
	return x
}

// tableBytes writes (table − low)·inv, rounded, as bytes.
func (s isa) tableBytes() {
	function("tableBytes"+s.name, "func(dst *uint8, table, low *float32, rows int, inv float32)")
	dst, table, low, left := load(asm.Param("dst")), load(asm.Param("table")),
		load(asm.Param("low")), load(asm.Param("rows"))
	inv, least := s.vec(), s.vec()
	asm.VBROADCASTSS(memory(asm.Param("inv")), inv)
	var order reg.VecVirtual
	if s.bits == 256 {
		order = asm.YMM()
		asm.VMOVDQU(packOrder(), order)
	}
	size := s.bits / 8
	asm.Label("row")
	asm.VBROADCASTSS(operand.Mem{Base: low}, least)
	step := 4 * size // bytes of the table for a vector of the result
	for part := range tableRow / step {
		v := s.vecs(4)
		for i := range v {
			asm.VMOVUPS(operand.Mem{Base: table, Disp: part*step + i*size}, v[i])
			asm.VSUBPS(least, v[i], v[i])
			asm.VMULPS(inv, v[i], v[i])
			asm.VCVTPS2DQ(v[i], v[i])
		}
		if s.bits == 512 {
			for i := range v {
				asm.VPMOVUSDB(v[i], operand.Mem{Base: dst, Disp: part*size + i*size/4})
			}
			continue
		}
		asm.VPACKUSDW(v[1], v[0], v[0])
		asm.VPACKUSDW(v[3], v[2], v[2])
		asm.VPACKUSWB(v[2], v[0], v[0])
		asm.VPERMD(v[0], order, v[0])
		asm.VMOVDQU(v[0], operand.Mem{Base: dst, Disp: part * size})
	}
	asm.ADDQ(operand.U32(tableRow/4), dst)
	asm.ADDQ(operand.U32(tableRow), table)
	asm.ADDQ(operand.Imm(4), low)
	asm.DECQ(left)
	asm.JNE(operand.LabelRef("row"))
	asm.VZEROUPPER()
	asm.RET()
}

// packOrder puts the double words of four packed vectors back in order.
func packOrder() operand.Mem {
	m := asm.StaticGlobal("packOrder")
	asm.DataAttributes(attr.RODATA | attr.NOPTR)
	for i, n := range []uint32{0, 4, 1, 5, 2, 6, 3, 7} {
		asm.AddDatum(4*i, operand.U32(n))
	}
	return m
}
