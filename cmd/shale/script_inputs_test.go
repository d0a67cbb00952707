package main

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/shale-search/shale/internal/race"
)

// mask FILE N writes N booleans, all true.
func mask(ts *testscript.TestScript, _ bool, args []string) {
	n := number(ts, args[1])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), npy("|b1", fmt.Sprintf("(%d,)", n), bytes.Repeat([]byte{1}, n)), 0o644))
}

// npy is an npy file.
func npy(descr, shape string, data []byte) []byte {
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, shape)
	text += strings.Repeat(" ", 118-1-len(text)) + "\n"
	return append([]byte("\x93NUMPY\x01\x00\x76\x00"+text), data...)
}

// archive FILE NPY… writes an npz of npy files, named as they are.
func archive(ts *testscript.TestScript, _ bool, args []string) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range args[1:] {
		w, err := z.Create(filepath.Base(name))
		ts.Check(err)
		_, err = w.Write([]byte(ts.ReadFile(name)))
		ts.Check(err)
	}
	ts.Check(z.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o644))
}

// mainPeak runs main and then prints the peak of its resident memory, in MiB, to standard error.
func mainPeak() {
	code := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)
	fmt.Fprintf(os.Stderr, "peak %d MiB\n", statusBytes("VmHWM:")>>20)
	os.Exit(code)
}

// peak MIB checks the peak resident memory of the last shale-peak. It compares nothing if the system doesn't report the
// peak, or if the race detector takes memory.
func peak(ts *testscript.TestScript, _ bool, args []string) {
	_, text, ok := strings.Cut(ts.ReadFile("stderr"), "peak ")
	if !ok {
		ts.Fatalf("no peak was told")
	}
	had := number(ts, strings.Fields(text)[0])
	if most := number(ts, args[0]); had > most && !race.Enabled {
		ts.Fatalf("%d MiB were resident, %d are allowed", had, most)
	}
}
