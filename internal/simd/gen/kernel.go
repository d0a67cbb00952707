package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

type metric int

const (
	l2 metric = iota
	dot
)

// kernel is one combination of element type, instruction set and metric.
type kernel struct {
	elem
	metric metric
}

// rows computes the sums of 4 rows or of 1. Sharing the loads of the query and the horizontal additions among 4 rows
// takes half the instructions; there are two sums a row then and four for a lone row, so that no addition waits for
// the one before.
func (k kernel) rows(label string, query reg.Register, row []reg.Register, dim reg.Register,
	c constants) reg.VecVirtual {
	s, w := k.isa(), k.width()
	if e, ok := k.elem.(scaled); ok {
		c.scales = e.scales(row, dim)
	}
	unroll := 4
	if len(row) > 1 {
		unroll = 2
	}
	sums := make([][]reg.VecVirtual, unroll) // by step, then by row
	for i := range sums {
		sums[i] = s.vecs(len(row))
		for _, v := range sums[i] {
			if i == 0 && c.seed != nil {
				asm.VMOVDQA64(*c.seed, v)
			} else {
				s.zero(v)
			}
		}
	}
	at, next := asm.GP64(), asm.GP64()
	asm.XORL(at.As32(), at.As32())
	steps(label+"_wide", at, next, dim, w*unroll, func() {
		for i := range unroll {
			k.step(k.metric, chunk{query, row, at, i * w}, c, sums[i])
		}
	})
	for step := unroll / 2; step > 0; step /= 2 {
		for i := range step {
			for r := range row {
				k.add(sums[i+step][r], sums[i][r])
			}
		}
	}
	steps(label+"_narrow", at, next, dim, w, func() {
		k.step(k.metric, chunk{query, row, at, 0}, c, sums[0])
	})
	asm.CMPQ(at, dim)
	asm.JEQ(operand.LabelRef(label + "_sum"))
	k.tail(k.metric, label, chunk{query, row, at, 0}, dim, c, sums[0])
	asm.Label(label + "_sum")
	return sumLanes(k.elem, sums[0])
}

// steps repeats body for at = 0, n, 2n … while n more elements are left.
func steps(label string, at, next reg.GPVirtual, dim reg.Register, n int, body func()) {
	asm.LEAQ(operand.Mem{Base: at, Disp: n}, next)
	asm.CMPQ(next, dim)
	asm.JGT(operand.LabelRef(label + "_end"))
	align()
	asm.Label(label)
	body()
	asm.MOVQ(next, at)
	asm.ADDQ(operand.U32(n), next)
	asm.CMPQ(next, dim)
	asm.JLE(operand.LabelRef(label))
	asm.Label(label + "_end")
}

func (k kernel) name(kind string) string {
	return kind + k.suffix() + k.isa().name
}

// pair emits the kernel of one query and one row.
func (k kernel) pair() {
	kind := "l2"
	if k.metric == dot {
		kind = "dot"
	}
	result := "float32"
	if k.integer() {
		result = "int32"
	}
	function(k.name(kind), "func(a, b unsafe.Pointer, dim int) "+result)
	a, b, dim := load(asm.Param("a")), load(asm.Param("b")), load(asm.Param("dim"))
	sum := k.rows("pair", a, []reg.Register{b}, dim, k.prepare(a, dim))
	if k.integer() {
		total := asm.GP32()
		asm.VMOVD(sum.AsX(), total)
		asm.MOVL(total, memory(asm.ReturnIndex(0)))
	} else {
		asm.VMOVSS(sum.AsX(), memory(asm.ReturnIndex(0)))
	}
	asm.VZEROUPPER()
	asm.RET()
}
