package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/dataname"
	"github.com/shale-search/shale/internal/location"
)

// checkOutput returns an error if the output file, given by the flag name, is an index or one of the command's inputs,
// under whatever names. If results go to standard output, the command's messages go to standard error.
func checkOutput(c *cobra.Command, name, output string, inputs ...string) error {
	if output == "" {
		return nil
	}
	file := dataname.File(output)
	there, err := os.Stat(file)
	if err != nil {
		return nil // nothing is there, or writing will tell
	}
	if out, err := os.Stdout.Stat(); err == nil && os.SameFile(there, out) && isStream(file) {
		c.SetOut(c.ErrOrStderr())
	}
	for _, input := range inputs {
		if sameFile(there, input) {
			return usagef(c, "--%s %s is %s, which the command reads: give another name", name, output, input)
		}
	}
	if kind, err := location.Detect(file); err == nil {
		return fmt.Errorf("--%s %s is a %s, which isn't replaced by results: give another name, or remove it",
			name, output, kind)
	}
	return nil
}

// isStream reports whether a path leads to a pipe, a device or an open file.
func isStream(path string) bool {
	stream, err := atomicfile.IsStream(path)
	return err == nil && stream
}

// sameFile reports whether an input, which may name a format and a member as well, is the regular file described.
func sameFile(file os.FileInfo, input string) bool {
	if input == "" || !file.Mode().IsRegular() {
		return false
	}
	found, err := os.Stat(dataname.File(input))
	return err == nil && os.SameFile(file, found)
}

// checkConversion refuses a destination that is the source or holds it.
func checkConversion(c *cobra.Command, from, to string) error {
	there, err := os.Stat(to)
	if err != nil {
		return nil // nothing is there, or writing will tell
	}
	path, err := filepath.EvalSymlinks(from)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil // opening will tell
	}
	for above := path; ; above = filepath.Dir(above) {
		if info, err := os.Stat(above); err == nil && os.SameFile(info, there) {
			if above == path {
				return usagef(c, "%s and %s are the same index: give DST another name", from, to)
			}
			return usagef(c, "%s lies in %s, which would be replaced: give DST another name", from, to)
		}
		if above == filepath.Dir(above) {
			return nil
		}
	}
}
