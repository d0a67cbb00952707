package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// codeWords handles codes by VPMADDUBSW, which adds up two products of an unsigned and a signed byte in 16 bits. Those
// saturate, so codes of 8 bits are taken as two of 4 bits. A block adds no more than 15,240 to a sum: two blocks fit.
type codeWords struct{}

func (codeWords) isa() isa                    { return avx2 }
func (codeWords) add(a, b operand.Op)         { asm.VPADDD(a, b, b) }
func (codeWords) fourfold(sum reg.VecVirtual) { asm.VPSLLD(operand.Imm(2), sum, sum) }

func (codeWords) prepare(p codePart, _ reg.Register) codeConstants {
	c := codeConstants{mask: byteMask(avx2, min(p.bits, 4)), ones: asm.YMM()}
	asm.VPCMPEQW(c.ones, c.ones, c.ones)
	if p.bits == 8 {
		c.sixteens = asm.YMM()
		asm.VPSRLW(operand.Imm(15), c.ones, c.sixteens)
		asm.VPSLLW(operand.Imm(4), c.sixteens, c.sixteens)
	}
	asm.VPSRLW(operand.Imm(15), c.ones, c.ones)
	return c
}

func (codeWords) blocks(p codePart, c codeConstants, values reg.Register, row []operand.Mem, sums []reg.VecVirtual) {
	const half = line / 2
	for i, sum := range sums {
		var words [2]reg.VecVirtual // sums in 16 bits; the second of the upper halves of codes of 8 bits
		halves := 2 * max(p.known, 1)
		if p.half {
			halves--
		}
		for h := range halves {
			codes := asm.YMM()
			asm.VMOVDQU(row[i].Offset(half*h), codes)
			parts := p
			parts.bits = min(p.bits, 4)
			for part := range parts.parts() {
				at, to := line*(h/2*p.parts()+part), 0
				if p.bits == 8 {
					at, to = line*(h/2), part
				}
				v := unpack(avx2, parts, part, codes, c.mask)
				asm.VPMADDUBSW(operand.Mem{Base: values, Disp: at + half*(h%2)}, v, v)
				if words[to] == nil {
					words[to] = v
				} else {
					asm.VPADDW(v, words[to], words[to])
				}
			}
		}
		asm.VPMADDWD(words[0], c.ones, words[0])
		asm.VPADDD(words[0], sum, sum)
		if p.bits == 8 {
			asm.VPMADDWD(words[1], c.sixteens, words[1])
			asm.VPADDD(words[1], sum, sum)
		}
	}
}
