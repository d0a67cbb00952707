package datafile

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/shale-search/shale/internal/dataname"
)

// stdinName is the name of standard input in errors.
const stdinName = "standard input"

// maxPiped is the most bytes of a pipe that are held in memory, for formats that aren't read from front to back. Tests
// lower it.
var maxPiped int64 = 256 << 20

// source is what an input reads: a file or memory.
type source interface {
	io.ReaderAt
	io.Closer
}

// piped is the content of a pipe in memory.
type piped struct {
	*bytes.Reader
	io.Closer
}

// standardInput is standard input, which Close leaves open for others.
type standardInput struct{ *os.File }

func (standardInput) Close() error { return nil }

// newPipe returns an input that reads the pipe f.
func newPipe(f *os.File, closer source, name string) *input {
	return &input{origin: origin{name}, f: closer, size: math.MaxInt64, pipe: bufio.NewReaderSize(f, blockSize)}
}

// from returns a reader of n bytes of the input from offset off. Of a pipe it returns all that is left.
func (in *input) from(off, n int64) io.Reader {
	if in.pipe != nil {
		return in.pipe
	}
	return io.NewSectionReader(in.f, off, n)
}

// whole reads a pipe into memory, for a format that isn't read from front to back.
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

// unknown returns the error of a format that isn't one of those wanted.
func (in *input) unknown(wanted string) error {
	if in.pipe != nil {
		wanted += ", or the format's name before the path, as in fvecs:" + dataname.Stdin
	}
	return fmt.Errorf("dataset: %s: %w: want %s", in.file, ErrUnknownFormat, wanted)
}
