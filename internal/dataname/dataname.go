// Package dataname parses the names of data files as the command line takes them: a path, after an optional format and
// before an optional member, as in fvecs:base.bin or base.npz:rows. The name "-" is standard input.
package dataname

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// Stdin is the name of standard input.
	Stdin = "-"
	// Text is the format of text files, which have no extension of their own.
	Text = ".text"
)

// formats are the names of formats that may stand before a path.
var formats = []string{
	"npy", "npz", "fvecs", "bvecs", "ivecs", "fbin", "u8bin", "i8bin", "ibin", "parquet", "roaring", Text[1:],
	"csv", "tsv", "jsonl",
}

// containers are the extensions after which a path may name a member.
var containers = []string{".npz", ".parquet", ".hdf5", ".h5"}

// Split divides a name into format, written as an extension, file and member. Format and member are empty if the name
// has none. A file that exists under the whole name is taken as such.
func Split(name string) (format, file, member string) {
	format, file = SplitFormat(name)
	file, member = splitMember(file)
	return format, file, member
}

// SplitFormat divides the name of a file to be written, which has no member, into format and file.
func SplitFormat(name string) (format, file string) {
	format, rest, ok := strings.Cut(name, ":")
	if !ok || !slices.Contains(formats, format) {
		return "", name
	}
	if _, err := os.Lstat(name); err == nil {
		return "", name
	}
	return "." + format, rest
}

func splitMember(path string) (file, member string) {
	if _, err := os.Lstat(path); err == nil {
		return path, ""
	}
	lower := strings.ToLower(path)
	for _, ext := range containers {
		if i := strings.Index(lower, ext+":"); i >= 0 {
			i += len(ext)
			return path[:i], path[i+1:]
		}
	}
	return path, ""
}

// File returns the file that a name leads to.
func File(name string) string {
	_, file, _ := Split(name)
	return file
}

// Extension returns the extension of a path in lower case.
func Extension(path string) string { return strings.ToLower(filepath.Ext(path)) }

// OutputFormat returns the format of a file to be written, as an extension.
func OutputFormat(name string) string {
	format, file := SplitFormat(name)
	if format != "" {
		return format
	}
	return Extension(file)
}

// IsPipe reports whether a name leads to something that can be read only once: standard input, a pipe, a socket or a
// device. It opens nothing.
func IsPipe(name string) bool {
	file := File(name)
	if file == Stdin {
		info, err := os.Stdin.Stat()
		return err != nil || IsStream(os.Stdin, info.Mode())
	}
	info, err := os.Stat(file)
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

// IsStream reports whether an open file of the given mode can only be read as it comes: a pipe, a socket, a terminal or
// another device, or standard input that was read in part before.
func IsStream(f *os.File, mode os.FileMode) bool {
	if !mode.IsRegular() {
		return true
	}
	at, err := f.Seek(0, io.SeekCurrent)
	return err != nil || at != 0
}

// ExplainOpen says of the error of opening a file whether it is a socket, which the system's error doesn't say.
func ExplainOpen(path string, err error) error {
	if info, statErr := os.Stat(path); statErr == nil && info.Mode()&os.ModeSocket != 0 {
		return fmt.Errorf("%s is a socket, which can't be opened as a file: read it with another program and pipe that in",
			path)
	}
	return err
}
