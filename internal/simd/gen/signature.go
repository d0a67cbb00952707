package main

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/gotypes"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// function starts a function of the given Go signature. avo knows no unsafe.Pointer and no type of the package it
// writes for unless that already compiles, so the signature is read in a package of nothing but code.go, which declares
// types.
func function(name, signature string) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "../code.go", nil, parser.SkipObjectResolution)
	if err != nil {
		panic(err)
	}
	config := types.Config{Importer: importer.Default()}
	pkg, err := config.Check("github.com/shale-search/shale/internal/simd", set, []*ast.File{file}, nil)
	if err != nil {
		panic(err)
	}
	pkg.Scope().Insert(types.NewPkgName(token.NoPos, pkg, "unsafe", types.Unsafe))
	sig, err := gotypes.ParseSignatureInPackage(pkg, signature)
	if err != nil {
		panic(err)
	}
	asm.Function(name)
	asm.Attributes(attr.NOSPLIT)
	asm.Signature(sig)
	asm.Pragma("noescape")
	align()
}

// align puts what follows at the start of a cache line. A loop of few instructions takes twice as long where it lies
// across the border of two lines, which changes with each function that the linker puts before it.
func align() {
	asm.Instruction(&ir.Instruction{Opcode: "PCALIGN", Operands: []operand.Op{operand.Imm(line)}})
}

// memory is where an argument or a result lies.
func memory(c gotypes.Component) operand.Mem {
	b, err := c.Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// load brings an argument of 8 bytes into a register.
func load(c gotypes.Component) reg.Register {
	r := asm.GP64()
	asm.MOVQ(memory(c), r)
	return r
}

// field is where a field of a struct lies to which the parameter points that r holds.
func field(param string, r reg.Register, name string) operand.Mem {
	return memory(asm.Param(param).Dereference(r).Field(name))
}
