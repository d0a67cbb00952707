package main

import (
	"github.com/mmcloughlin/avo/reg"
)

// isa is a level of the instruction set.
type isa struct {
	name string // suffix of the function names
	bits int    // width of a vector
	vnni bool
}

var (
	avx2   = isa{name: "AVX2", bits: 256}
	avx512 = isa{name: "AVX512", bits: 512}
	vnni   = isa{name: "VNNI", bits: 512, vnni: true}
)

// vec allocates a full-width vector register.
func (s isa) vec() reg.VecVirtual {
	if s.bits == 512 {
		return asm.ZMM()
	}
	return asm.YMM()
}

func (s isa) vecs(n int) []reg.VecVirtual {
	v := make([]reg.VecVirtual, n)
	for i := range v {
		v[i] = s.vec()
	}
	return v
}

func (s isa) zero(v reg.VecVirtual) {
	if s.bits == 512 {
		asm.VPXORD(v, v, v)
	} else {
		asm.VPXOR(v, v, v)
	}
}

// cleared allocates a vector of zeros, for a value that fills only its first lanes. avo treats lanes that were never
// written as live from the start of the function, and would keep a register for each such vector all through it.
func (s isa) cleared() reg.VecVirtual {
	v := s.vec()
	s.zero(v)
	return v
}
