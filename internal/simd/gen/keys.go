package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// keyKernels write the routines that keep lists of keys sorted. They need what AVX-512 has and AVX2 lacks: compressing,
// expanding and masks.
func keyKernels() {
	nearKeys()
	sortKeys()
	placeKeys()
	mergeKeys()
}

const (
	keyLanes    = 8    // keys in a vector
	notAtLeast  = 0x19 // the predicate of VCMPPS that is true of NaN
	unordered   = 0x03
	lessThan    = 0x01 // of VPCMPUQ
	greater     = 0x06
	placeWindow = 64 // keys among which a place is found by counting
	mostSortKey = 64
)

// ones makes a vector of all bits.
func ones(v reg.VecVirtual) reg.VecVirtual {
	asm.VPTERNLOGD(operand.U8(0xff), v, v, v)
	return v
}

func nearKeys() {
	function("nearKeysAVX512", "func(keys *uint64, ids *uint32, dist *float32, n int, worst float32) int")
	keys, ids, dist := load(asm.Param("keys")), load(asm.Param("ids")), load(asm.Param("dist"))
	n, found := load(asm.Param("n")), asm.GP64()
	worst, all, sign := asm.YMM(), ones(asm.YMM()), asm.YMM()
	asm.VBROADCASTSS(memory(asm.Param("worst")), worst)
	asm.VPSLLD(operand.Imm(31), all, sign)
	asm.XORL(found.As32(), found.As32())
	at, next := asm.GP64(), asm.GP64()
	asm.XORL(at.As32(), at.As32())
	eight := func(tail reg.Register) {
		d, id, key, near := asm.YMM(), asm.YMM(), asm.YMM(), asm.K()
		from, of := operand.Mem{Base: dist, Index: at, Scale: 4}, operand.Mem{Base: ids, Index: at, Scale: 4}
		if tail == nil {
			asm.VMOVUPS(from, d)
			asm.VMOVDQU(of, id)
			asm.VCMPPS(operand.Imm(notAtLeast), worst, d, near)
		} else {
			asm.VMOVUPS_Z(from, tail, d)
			asm.VMOVDQU32_Z(of, tail, id)
			asm.VCMPPS(operand.Imm(notAtLeast), worst, d, tail, near)
		}
		asm.VPSRAD(operand.Imm(31), d, key)
		asm.VPOR(sign, key, key)
		asm.VPXOR(d, key, key)
		nan := asm.K()
		asm.VCMPPS(operand.Imm(unordered), d, d, nan)
		asm.VMOVDQU32(all, nan, key)
		upper, lower := asm.ZMM(), asm.ZMM()
		asm.VPMOVZXDQ(key, upper)
		asm.VPSLLQ(operand.Imm(32), upper, upper)
		asm.VPMOVZXDQ(id, lower)
		asm.VPADDQ(lower, lower, lower)
		asm.VPORQ(lower, upper, upper)
		asm.VPCOMPRESSQ_Z(upper, near, upper) // to a register: to memory it is slow on Zen 4
		asm.VMOVDQU64(upper, operand.Mem{Base: keys, Index: found, Scale: 8})
		count := asm.GP32()
		asm.KMOVB(near, count)
		asm.POPCNTL(count, count)
		asm.ADDQ(count.As64(), found)
	}
	steps("eight", at, next, n, keyLanes, func() { eight(nil) })
	asm.CMPQ(at, n)
	asm.JEQ(operand.LabelRef("done"))
	eight(opmask(n, keyLanes))
	asm.Label("done")
	asm.VZEROUPPER()
	asm.MOVQ(found, memory(asm.ReturnIndex(0)))
	asm.RET()
}

// sortKeys puts every key at the place that is the number of keys below it.
func sortKeys() {
	function("sortKeysAVX512", "func(dst, src *uint64, n int)")
	dst, src, n := load(asm.Param("dst")), load(asm.Param("src")), load(asm.Param("n"))
	present, bits := asm.K(), asm.GP64()
	asm.MOVQ(operand.I32(-1), bits)
	asm.BZHIQ(n, bits, bits)
	asm.KMOVQ(bits, present)
	for _, vectors := range []int{1, 2, 4, 8} {
		label := map[int]string{1: "one", 2: "two", 4: "four", 8: "eight"}[vectors]
		if vectors < mostSortKey/keyLanes {
			asm.CMPQ(n, operand.Imm(uint64(vectors*keyLanes)))
			asm.JHI(operand.LabelRef("not_" + label))
		}
		sortIn(vectors, label, dst, src, n, present)
		asm.JMP(operand.LabelRef("done"))
		asm.Label("not_" + label)
	}
	asm.Label("done")
	asm.VZEROUPPER()
	asm.RET()
}

// sortIn is sortKeys for the keys that a number of vectors hold.
func sortIn(vectors int, label string, dst, src, n, present reg.Register) {
	held := make([]reg.VecVirtual, vectors)
	for i := range held {
		mask := asm.K()
		asm.KSHIFTRQ(operand.Imm(uint64(keyLanes*i)), present, mask)
		held[i] = ones(asm.ZMM())
		asm.VMOVDQU64(operand.Mem{Base: src, Disp: 64 * i}, mask, held[i])
	}
	at := asm.GP64()
	asm.XORL(at.As32(), at.As32())
	asm.Label(label)
	key, place, each := asm.GP64(), asm.GP64(), asm.ZMM()
	asm.MOVQ(operand.Mem{Base: src, Index: at, Scale: 8}, key)
	asm.VPBROADCASTQ(key, each)
	below := keysBelow(each, held)
	if vectors == 1 {
		asm.KMOVB(below, place.As32())
	} else {
		asm.KMOVQ(below, place)
	}
	asm.POPCNTQ(place, place)
	asm.MOVQ(key, operand.Mem{Base: dst, Index: place, Scale: 8})
	asm.INCQ(at)
	asm.CMPQ(at, n)
	asm.JCS(operand.LabelRef(label))
}

// keysBelow has a bit set for each key held that is below the key in each; which bit is not important.
func keysBelow(each reg.VecVirtual, held []reg.VecVirtual) reg.Register {
	k := asm.K()
	if len(held) == 1 {
		asm.VPCMPUQ(operand.Imm(lessThan), each, held[0], k)
		return k
	}
	half := len(held) / 2
	join := map[int]func(a, b, to operand.Op){1: asm.KUNPCKBW, 2: asm.KUNPCKWD, 4: asm.KUNPCKDQ}[half]
	join(keysBelow(each, held[:half]), keysBelow(each, held[half:]), k)
	return k
}

// placeKeys narrows the place of each key down by halves and then counts the keys below it. The steps are the same for
// all keys, so that the branches are foreseen. Keys after the window can't be below, by the search, or are all ones,
// after the end.
func placeKeys() {
	function("placeKeysAVX512",
		"func(places *uint64, total int, keys *uint64, held int, fresh *uint64, n int) (first, used int)")
	places, total, keys := load(asm.Param("places")), load(asm.Param("total")), load(asm.Param("keys"))
	held, fresh, j := load(asm.Param("held")), load(asm.Param("fresh")), load(asm.Param("n"))
	asm.VMOVDQU64(ones(asm.ZMM()), operand.Mem{Base: keys, Index: held, Scale: 8})
	used, rank := asm.GP64(), asm.GP64()
	asm.XORL(used.As32(), used.As32())
	asm.Label("key")
	asm.DECQ(j)
	key, each := asm.GP64(), asm.ZMM()
	asm.MOVQ(operand.Mem{Base: fresh, Index: j, Scale: 8}, key)
	asm.VPBROADCASTQ(key, each)
	window, half, upper := asm.GP64(), asm.GP64(), asm.GP64()
	asm.XORL(rank.As32(), rank.As32())
	asm.MOVQ(held, window)
	asm.Label("narrow")
	asm.CMPQ(window, operand.Imm(placeWindow))
	asm.JLS(operand.LabelRef("narrowed"))
	asm.LEAQ(operand.Mem{Base: window, Disp: 1}, half)
	asm.SHRQ(operand.Imm(1), half)
	asm.LEAQ(operand.Mem{Base: rank, Index: half, Scale: 1}, upper)
	asm.CMPQ(key, operand.Mem{Base: keys, Index: upper, Scale: 8, Disp: -8})
	asm.CMOVQHI(upper, rank)
	asm.SUBQ(half, window)
	asm.JMP(operand.LabelRef("narrow"))
	asm.Label("narrowed")
	at, count, below := asm.GP64(), asm.GP32(), asm.K()
	asm.LEAQ(operand.Mem{Base: keys, Index: rank, Scale: 8}, at)
	asm.JMP(operand.LabelRef("count_test"))
	asm.Label("count")
	asm.VPCMPUQ(operand.Imm(greater), operand.Mem{Base: at}, each, below)
	asm.KMOVB(below, count)
	asm.POPCNTL(count, count)
	asm.ADDQ(count.As64(), rank)
	asm.ADDQ(operand.Imm(8*keyLanes), at)
	asm.SUBQ(operand.Imm(keyLanes), window)
	asm.Label("count_test")
	asm.CMPQ(window, operand.Imm(0))
	asm.JGT(operand.LabelRef("count"))

	place, word, bits := asm.GP64(), asm.GP64(), asm.GP64()
	asm.LEAQ(operand.Mem{Base: rank, Index: j, Scale: 1}, place)
	asm.CMPQ(place, total)
	asm.JGE(operand.LabelRef("beyond"))
	asm.MOVQ(place, word)
	asm.SHRQ(operand.Imm(6), word)
	asm.MOVQ(operand.Mem{Base: places, Index: word, Scale: 8}, bits)
	asm.BTSQ(place, bits)
	asm.MOVQ(bits, operand.Mem{Base: places, Index: word, Scale: 8})
	asm.INCQ(used)
	asm.Label("beyond")
	asm.TESTQ(j, j)
	asm.JNE(operand.LabelRef("key"))
	asm.VZEROUPPER()
	asm.MOVQ(rank, memory(asm.ReturnIndex(0)))
	asm.MOVQ(used, memory(asm.ReturnIndex(1)))
	asm.RET()
}

// mergeKeys goes from the last vector of places down to that of the first key put in; below it nothing moves.
func mergeKeys() {
	function("mergeKeysAVX512", "func(keys *uint64, total int, places *uint64, first int, fresh *uint64, n int)")
	keys, chunk, places := load(asm.Param("keys")), load(asm.Param("total")), load(asm.Param("places"))
	first, fresh, n := load(asm.Param("first")), load(asm.Param("fresh")), load(asm.Param("n"))
	asm.DECQ(chunk)
	asm.SHRQ(operand.Imm(3), chunk)
	asm.SHRQ(operand.Imm(3), first)
	asm.Label("next")
	bits, count, from := asm.GP32(), asm.GP32(), asm.GP64()
	asm.MOVBLZX(operand.Mem{Base: places, Index: chunk, Scale: 1}, bits)
	asm.POPCNTL(bits, count)
	asm.SUBQ(count.As64(), n)
	put, stay := asm.K(), asm.K()
	asm.KMOVB(bits, put)
	asm.KNOTB(put, stay)
	asm.MOVQ(chunk, from)
	asm.SHLQ(operand.Imm(3), from)
	at := asm.GP64()
	asm.MOVQ(from, at)
	asm.SUBQ(n, from)
	old, new := asm.ZMM(), asm.ZMM()
	asm.VMOVDQU64(operand.Mem{Base: keys, Index: from, Scale: 8}, old)
	asm.VMOVDQU64(operand.Mem{Base: fresh, Index: n, Scale: 8}, new)
	asm.VPEXPANDQ_Z(old, stay, old)
	asm.VPEXPANDQ(new, put, old)
	asm.VMOVDQU64(old, operand.Mem{Base: keys, Index: at, Scale: 8})
	asm.DECQ(chunk)
	asm.CMPQ(chunk, first)
	asm.JGE(operand.LabelRef("next"))
	asm.VZEROUPPER()
	asm.RET()
}
