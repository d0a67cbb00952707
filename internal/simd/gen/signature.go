package main

import (
	"go/token"
	"go/types"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/gotypes"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// function starts a function of the given Go signature. avo knows no unsafe.Pointer unless the package it writes for
// already compiles, so the signature is read in an empty package that imports unsafe.
func function(name, signature string) {
	pkg := types.NewPackage("github.com/shale-search/shale/internal/simd", "simd")
	pkg.Scope().Insert(types.NewPkgName(token.NoPos, pkg, "unsafe", types.Unsafe))
	sig, err := gotypes.ParseSignatureInPackage(pkg, signature)
	if err != nil {
		panic(err)
	}
	asm.Function(name)
	asm.Attributes(attr.NOSPLIT)
	asm.Signature(sig)
	asm.Pragma("noescape")
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
