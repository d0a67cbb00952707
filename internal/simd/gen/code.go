package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// codes is the kernel for codes of a number of bits on a level of the instruction set.
type codes struct {
	codeLevel
	bits int
}

// codeLevel is how a level of the instruction set handles blocks of codes.
type codeLevel interface {
	isa() isa
	add(a, b operand.Op)
	// prepare readies what all rows share.
	prepare(p codePart, values reg.Register) codeConstants
	// blocks adds the codes times the values, of all blocks if their number is known and of one if not, to the sum of
	// each row.
	blocks(p codePart, c codeConstants, values reg.Register, row []operand.Mem, sums []reg.VecVirtual)
	// fourfold multiplies a sum by four.
	fourfold(sum reg.VecVirtual)
}

// codeConstants are registers that hold the same all through a list. A level uses those it needs.
type codeConstants struct {
	mask           reg.VecVirtual   // of the lower bits of each byte
	values         []reg.VecVirtual // of all blocks, if their number is known
	ones, sixteens reg.VecVirtual   // words
}

// codePart is what a row holds of codes of a number of bits: all of it, but for 3-bit codes one of two parts.
type codePart struct {
	label              string
	bits               int
	known              int    // number of blocks, if not 0
	half               bool   // the upper half of the last of them meets zeros only
	values, at, number string // the fields that say what the codes meet, where they start and how many blocks they fill
}

// parts is the number of codes in a byte.
func (p codePart) parts() int { return 8 / p.bits }

// shape is a number of blocks that has a loop of its own, all unrolled. The zero shape stands for any number.
type shape struct {
	low, high int
	half      bool // the upper half of the last low block meets zeros only
}

// shapes are those of up to 128, 256 or 512 dimensions, and of 257 to 384 at 2 bits.
var shapes = map[int][]shape{
	1: {{low: 1}},
	2: {{low: 1}, {low: 2, half: true}, {low: 2}},
	3: {{low: 1, high: 1}},
	4: {{low: 1}, {low: 2}},
	8: {{low: 2}},
}

// split gives the parts of a row of the shape, in the order in which they are added up: the last counts simply.
func (k codes) split(label string, s shape) []codePart {
	low := codePart{label + "_low", k.bits, s.low, s.half, "Values", "", "Blocks"}
	if k.bits != 3 {
		return []codePart{low}
	}
	low.bits = 2
	return []codePart{{label + "_high", 1, s.high, false, "HighValues", "High", "HighBlocks"}, low}
}

// codeList is where the kernel is in its list.
type codeList struct {
	query, ids, end, out reg.Register
	ahead                codeAhead
}

func codeKernels() {
	for _, bits := range []int{1, 2, 3, 4, 8} {
		codes{codeWords{}, bits}.batch()
	}
	for _, bits := range []int{1, 2, 3, 4, 8} {
		codes{codeQuads{}, bits}.batch()
	}
}

func (k codes) batch() {
	function(fmt.Sprintf("codes%d%s", k.bits, k.isa().name),
		"func(q *CodeQuery, base unsafe.Pointer, stride uintptr, ids []uint32, out []float32)")
	l := codeList{query: load(asm.Param("q")), ids: load(asm.Param("ids").Base()), end: load(asm.Param("ids").Len())}
	l.out = load(asm.Param("out").Base())
	asm.TESTQ(l.end, l.end)
	asm.JEQ(operand.LabelRef("return"))
	ids, out := asm.AllocLocal(4*group), asm.AllocLocal(4*group)
	fillGroup(l, ids, out)
	asm.LEAQ(operand.Mem{Base: l.ids, Index: l.end, Scale: 4}, l.end)
	l.ahead = k.aheadOf(l)
	l.ahead.ask("first", codeRowsAhead, l)

	for i, s := range shapes[k.bits] {
		label := fmt.Sprintf("shape%d", i)
		for _, p := range k.split(label, s) {
			asm.CMPQ(field("q", l.query, p.number), operand.Imm(uint64(p.known)))
			asm.JNE(operand.LabelRef(label + "_not"))
		}
		if s.half {
			asm.CMPQ(field("q", l.query, "Half"), operand.Imm(0))
			asm.JEQ(operand.LabelRef(label + "_not"))
		}
		k.groups(label, s, l)
		asm.JMP(operand.LabelRef("done"))
		asm.Label(label + "_not")
	}
	k.groups("any", shape{}, l)

	asm.Label("done")
	asm.VZEROUPPER()
	storeGroup(out)
	asm.Label("return")
	asm.RET()
}

// fillGroup turns a list of fewer rows than a group into one of a whole group, the results of which go elsewhere.
func fillGroup(l codeList, ids, out operand.Mem) {
	asm.CMPQ(l.end, operand.Imm(group))
	asm.JCC(operand.LabelRef("enough"))
	first, last, id := asm.GP64(), asm.GP64(), asm.GP32()
	asm.LEAQ(operand.Mem{Base: l.ids, Index: l.end, Scale: 4, Disp: -4}, last)
	asm.MOVQ(l.ids, first)
	for i := range group {
		asm.MOVL(operand.Mem{Base: first}, id)
		asm.MOVL(id, ids.Offset(4*i))
		asm.ADDQ(operand.Imm(4), first)
		asm.CMPQ(first, last)
		asm.CMOVQHI(last, first)
	}
	asm.LEAQ(ids, l.ids)
	asm.LEAQ(out, l.out)
	asm.MOVQ(operand.U32(group), l.end)
	asm.Label("enough")
}

// storeGroup brings what fillGroup diverted to its place.
func storeGroup(out operand.Mem) {
	n, to, v := load(asm.Param("ids").Len()), load(asm.Param("out").Base()), asm.GP32()
	for i := range group - 1 {
		// The first comparison sends off the lists that were long enough.
		if i == 0 {
			asm.CMPQ(n, operand.Imm(group))
			asm.JCC(operand.LabelRef("return"))
		} else {
			asm.CMPQ(n, operand.Imm(uint64(i)))
			asm.JLS(operand.LabelRef("return"))
		}
		asm.MOVL(out.Offset(4*i), v)
		asm.MOVL(v, operand.Mem{Base: to, Disp: 4 * i})
	}
}

// groups computes the list in groups of rows. The last group goes back over rows that are done already if fewer are
// left.
func (k codes) groups(label string, s shape, l codeList) {
	parts := k.split(label, s)
	constants := make([]codeConstants, len(parts))
	for i, p := range parts {
		values := asm.GP64()
		asm.MOVQ(field("q", l.query, p.values), values)
		constants[i] = k.prepare(p, values)
	}
	asm.JMP(operand.LabelRef(label + "_test"))
	asm.Label(label)
	l.ahead.ask(label+"_next", group, l)
	row := make([]reg.Register, group)
	for i := range row {
		row[i] = address(operand.Mem{Base: l.ids, Disp: 4 * i})
	}
	sums := k.isa().vecs(group)
	for _, v := range sums {
		k.isa().zero(v)
	}
	for i, p := range parts {
		if i > 0 {
			for _, v := range sums {
				k.fourfold(v)
			}
		}
		k.part(p, constants[i], l.query, row, sums)
	}
	asm.VMOVUPS(k.distances(l.query, row, sums), operand.Mem{Base: l.out})
	asm.ADDQ(operand.Imm(4*group), l.ids)
	asm.ADDQ(operand.Imm(4*group), l.out)
	asm.Label(label + "_test")
	rest := asm.GP64()
	asm.LEAQ(operand.Mem{Base: l.ids, Disp: 4 * group}, rest)
	asm.SUBQ(l.end, rest)
	asm.JLS(operand.LabelRef(label))
	asm.CMPQ(rest, operand.Imm(4*group))
	asm.JEQ(operand.LabelRef("done"))
	asm.SUBQ(rest, l.ids)
	asm.SUBQ(rest, l.out)
	asm.JMP(operand.LabelRef(label))
}

// part adds up the codes of a part of each row.
func (k codes) part(p codePart, c codeConstants, query reg.Register, row []reg.Register, sums []reg.VecVirtual) {
	values, at, end := asm.GP64(), asm.GP64(), asm.GP64()
	from := make([]operand.Mem, len(row))
	for i := range from {
		from[i] = operand.Mem{Base: row[i]}
		if p.known == 0 || p.at != "" {
			from[i].Index, from[i].Scale = at, 1
		}
	}
	asm.MOVQ(field("q", query, p.values), values)
	if p.at != "" {
		asm.MOVQ(field("q", query, p.at), at)
	} else if p.known == 0 {
		asm.XORL(at.As32(), at.As32())
	}
	if p.known > 0 {
		k.blocks(p, c, values, from, sums)
		return
	}
	asm.MOVQ(field("q", query, p.number), end)
	asm.SHLQ(operand.Imm(6), end)
	asm.ADDQ(at, end)
	asm.JMP(operand.LabelRef(p.label + "_test"))
	align()
	asm.Label(p.label)
	k.blocks(p, c, values, from, sums)
	asm.ADDQ(operand.Imm(line), at)
	asm.ADDQ(operand.U32(line*p.parts()), values)
	asm.Label(p.label + "_test")
	asm.CMPQ(at, end)
	asm.JCS(operand.LabelRef(p.label))
}

// distances turns the sums of a group of rows into distances.
func (k codes) distances(query reg.Register, row []reg.Register, sums []reg.VecVirtual) reg.VecVirtual {
	dot := sumLanes(k, sums).AsX()
	asm.VCVTDQ2PS(dot, dot)
	constant := func(name string) reg.VecVirtual {
		v := asm.XMM()
		asm.VBROADCASTSS(field("q", query, name), v)
		return v
	}
	asm.VFMADD213PS(constant("Beta"), constant("Alpha"), dot)
	at := asm.GP64()
	asm.MOVQ(field("q", query, "Factors"), at)
	var pairs [2]reg.VecVirtual // A and F of two rows
	for i := range pairs {
		pairs[i] = asm.XMM()
		asm.VMOVSD(operand.Mem{Base: row[2*i], Index: at, Scale: 1}, pairs[i])
		asm.VMOVHPS(operand.Mem{Base: row[2*i+1], Index: at, Scale: 1}, pairs[i], pairs[i])
	}
	sum, f := asm.XMM(), asm.XMM()
	asm.VSHUFPS(operand.Imm(0b10001000), pairs[1], pairs[0], sum)
	asm.VSHUFPS(operand.Imm(0b11011101), pairs[1], pairs[0], f)
	asm.VMULPS(constant("Add"), sum, sum)
	asm.VFMADD231PS(f, dot, sum)
	asm.VADDPS(constant("Gamma"), sum, sum)
	return sum
}
