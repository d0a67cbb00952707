package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
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
