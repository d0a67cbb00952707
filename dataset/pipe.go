package dataset

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
)

// stdinPath is the path that means standard input, and stdinName its name in errors.
const (
	stdinPath = "-"
	stdinName = "standard input"
)

// maxPiped bounds what is read from a pipe into memory, for formats that aren't read from
// front to back. Tests lower it.
var maxPiped int64 = 256 << 20

// source is what an input is read from: a file, or memory.
type source interface {
	io.ReaderAt
	io.Closer
}

// piped is what a pipe held, in memory.
type piped struct {
	*bytes.Reader
	io.Closer
}

// standardInput stays open for others.
type standardInput struct{ *os.File }

func (standardInput) Close() error { return nil }

// isPipe reports whether f is read as it comes: a pipe, a socket, a terminal or another device, or standard input
// of which a part was read before.
func isPipe(f *os.File, mode os.FileMode) bool {
	if !mode.IsRegular() {
		return true
	}
	at, err := f.Seek(0, io.SeekCurrent)
	return err != nil || at != 0
}

// newPipe makes an input of what f gives.
func newPipe(f *os.File, closer source, name string) *input {
	return &input{origin: origin{name}, f: closer, size: math.MaxInt64, pipe: bufio.NewReaderSize(f, blockSize)}
}

// from reads n bytes of the input from off on; of a pipe, what comes next, however much it is.
func (in *input) from(off, n int64) io.Reader {
	if in.pipe != nil {
		return in.pipe
	}
	return io.NewSectionReader(in.f, off, n)
}

// whole reads a pipe into memory, for a format that is read at several places.
func (in *input) whole(format string) error {
	if in.pipe == nil {
		return nil
	}
	b, err := io.ReadAll(io.LimitReader(in.pipe, maxPiped+1))
	if err != nil {
		return in.caused(err, int64(len(b)), "data", "can't be read")
	}
	if int64(len(b)) > maxPiped {
		return in.caused(ErrUnsupported, -1, "pipe",
			"%s files aren't read from front to back, and more than %d MiB aren't held in memory for that: "+
				"write it to a file first",
			format, maxPiped>>20)
	}
	in.f, in.size, in.pipe = piped{bytes.NewReader(b), in.f}, int64(len(b)), nil
	return nil
}

// IsPipe reports whether path names something that is read once, as it comes: "-" for standard input, a pipe, a socket
// or a device. It opens nothing.
func IsPipe(path string) bool {
	_, file := splitFormat(path)
	file, _ = splitMember(file)
	if file == stdinPath {
		info, err := os.Stdin.Stat()
		return err != nil || isPipe(os.Stdin, info.Mode())
	}
	info, err := os.Stat(file)
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

// textFormat names files of text, which have no extension of their own.
const textFormat = "text"

// formats may be named before a path.
var formats = []string{
	"npy", "npz", "fvecs", "bvecs", "ivecs", "fbin", "u8bin", "i8bin", "ibin", "parquet", "roaring", textFormat,
}

// splitFormat parts "fvecs:path" in a format, as an extension, and path. A file whose own name is so is taken as such.
func splitFormat(path string) (format, file string) {
	name, rest, ok := strings.Cut(path, ":")
	if !ok || !slices.Contains(formats, name) {
		return "", path
	}
	if _, err := os.Lstat(path); err == nil {
		return "", path
	}
	return "." + name, rest
}

// FileOf returns the file that a path names which may begin with a format and end with a member.
func FileOf(path string) string {
	_, file := splitFormat(path)
	file, _ = splitMember(file)
	return file
}

// OutputFormat returns the format of a file to be written, as an extension.
func OutputFormat(path string) string {
	format, file := splitFormat(path)
	if format != "" {
		return format
	}
	return extension(file)
}

// unknown says that path's format isn't one of those wanted.
func (in *input) unknown(wanted string) error {
	if in.pipe != nil {
		wanted += ", or the format's name before the path, as in fvecs:" + stdinPath
	}
	return fmt.Errorf("dataset: %s: %w: want %s", in.file, ErrUnknownFormat, wanted)
}
