// Command gen writes the amd64 files of package simd for one element type: the assembly and its declarations. It is a
// module of its own so that avo is no dependency of the library.
package main

import (
	"bytes"
	"flag"
	"log"
	"os"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// asm collects the functions of the file at work.
var asm = build.NewContext()

// routines write the files that hold something else than a kernel for each metric.
var routines = map[string]func(){
	"code":     codeKernels,
	"decode":   decodeKernels,
	"hadamard": hadamardKernels,
	"keys":     keyKernels,
	"lookup":   lookUpKernels,
	"nearest":  nearestKernels,
	"prefetch": prefetchFunc,
	"round":    roundKernel,
	"tables":   tableKernels,
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("gen: ")
	elem := flag.String("elem", "",

		"element type of the rows (f32, f16, sq8, i8, u8, code), or the routine: "+
			"prefetch, hadamard, decode, keys, lookup, nearest, round, tables")
	flag.Parse()
	asm.ConstraintExpr("!purego")
	switch list := kernels(*elem); {
	case routines[*elem] != nil:
		routines[*elem]()
	case len(list) == 0:
		log.Fatalf("no element type %q", *elem)
	default:
		for _, k := range list {
			k.pair()
			k.batch()
		}
	}
	if err := write("../" + *elem + "_amd64"); err != nil {
		log.Fatal(err)
	}
}

// write prints the functions to the files name.s and name.go.
func write(name string) error {
	file, err := asm.Result()
	if err != nil {
		return err
	}
	if err := pass.Compile.Execute(file); err != nil {
		return err
	}
	if err := checkRegisters(file); err != nil {
		return err
	}
	cfg := printer.Config{Name: "internal/simd/gen", Pkg: "simd"}
	code, err := printer.NewGoAsm(cfg).Print(file)
	if err != nil {
		return err
	}
	stubs, err := printer.NewStubs(cfg).Print(file)
	if err != nil {
		return err
	}
	// avo leaves out the import.
	if clause := []byte("package simd\n"); bytes.Contains(stubs, []byte("unsafe.")) {
		stubs = bytes.Replace(stubs, clause, append(clause, "\nimport \"unsafe\"\n"...), 1)
	}
	if err := os.WriteFile(name+".s", code, 0o644); err != nil {
		return err
	}
	return os.WriteFile(name+".go", stubs, 0o644)
}
