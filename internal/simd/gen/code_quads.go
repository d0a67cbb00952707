package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// codeQuads handles codes by VPDPBUSD, which adds up four products of an unsigned and a signed byte at once.
type codeQuads struct{}

func (codeQuads) isa() isa                    { return vnni }
func (codeQuads) add(a, b operand.Op)         { asm.VPADDD(a, b, b) }
func (codeQuads) fourfold(sum reg.VecVirtual) { asm.VPSLLD(operand.Imm(2), sum, sum) }

func (codeQuads) prepare(p codePart, values reg.Register) codeConstants {
	c := codeConstants{mask: byteMask(vnni, p.bits)}
	for i := range p.known * p.parts() {
		c.values = append(c.values, asm.ZMM())
		asm.VMOVDQU8(operand.Mem{Base: values, Disp: line * i}, c.values[i])
	}
	return c
}

func (codeQuads) blocks(p codePart, c codeConstants, values reg.Register, row []operand.Mem, sums []reg.VecVirtual) {
	full := max(p.known, 1)
	if p.half {
		full--
		halfBlock(p, full, c, row, sums)
	}
	for block := range full {
		codes := vnni.vecs(len(row))
		for i := range codes {
			asm.VMOVDQU8(row[i].Offset(line*block), codes[i])
		}
		for part := range p.parts() {
			at := block*p.parts() + part
			v := reg.VecVirtual(nil)
			if p.known > 0 {
				v = c.values[at]
			} else {
				v = asm.ZMM()
				asm.VMOVDQU8(operand.Mem{Base: values, Disp: line * at}, v)
			}
			for i, sum := range sums {
				asm.VPDPBUSD(v, unpack(vnni, p, part, codes[i], c.mask), sum)
			}
		}
	}
}

// halfBlock is blocks for the lower half of a block alone. It comes first: what it doesn't add to is zero then, and
// stays so.
func halfBlock(p codePart, block int, c codeConstants, row []operand.Mem, sums []reg.VecVirtual) {
	for i, sum := range sums {
		codes := asm.YMM()
		asm.VMOVDQU8(row[i].Offset(line*block), codes)
		for part := range p.parts() {
			v, from := asm.YMM(), codes
			if part > 0 {
				asm.VPSRLW(operand.Imm(uint64(part*p.bits)), codes, v)
				from = v
			}
			asm.VPANDD(from, c.mask.AsY(), v)
			asm.VPDPBUSD(c.values[block*p.parts()+part].AsY(), v, sum.AsY())
		}
	}
}

// byteMask has the lower bits of every byte set.
func byteMask(s isa, bits int) reg.VecVirtual {
	if bits == 8 {
		return nil
	}
	word, v := asm.GP32(), s.vec()
	asm.MOVL(operand.U32((1<<bits-1)*0x01010101), word)
	if s.bits == 512 {
		asm.VPBROADCASTD(word, v)
	} else {
		asm.VMOVD(word, v.AsX())
		asm.VPBROADCASTD(v.AsX(), v)
	}
	return v
}

// unpack gives the codes of a part of each byte.
func unpack(s isa, p codePart, part int, codes, mask reg.VecVirtual) reg.VecVirtual {
	if p.bits == 8 {
		return codes
	}
	v := s.vec()
	from := codes
	if part > 0 {
		asm.VPSRLW(operand.Imm(uint64(part*p.bits)), codes, v)
		from = v
	}
	if s.bits == 512 {
		asm.VPANDD(from, mask, v)
	} else {
		asm.VPAND(from, mask, v)
	}
	return v
}
