package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/reg"
)

// checkRegisters refuses functions for AVX2 that use what only AVX-512 has: its instructions, and the vector registers
// from 16 to 31. The assembler would encode any instruction on these as one of AVX-512, and avo counts it as AVX.
func checkRegisters(file *ir.File) error {
	for _, fn := range file.Functions() {
		if !strings.HasSuffix(fn.Name, avx2.name) {
			continue
		}
		for _, extension := range fn.ISA {
			if strings.HasPrefix(extension, "AVX512") {
				return fmt.Errorf("%s: an instruction needs %s", fn.Name, extension)
			}
		}
		for _, i := range fn.Instructions() {
			for _, r := range i.Registers() {
				if p := reg.ToPhysical(r); p != nil && r.Kind() == reg.KindVector && p.PhysicalIndex() > 15 {
					return fmt.Errorf("%s: %s uses %s, which AVX2 doesn't have", fn.Name, i.Opcode, p.Asm())
				}
			}
		}
	}
	return nil
}
