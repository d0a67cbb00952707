package datafile

import (
	"bufio"
	"fmt"
	"io"
	"math/bits"
	"os"

	"github.com/shale-search/shale/internal/dataname"
)

// maxDim bounds a row's elements. Vectors in use have thousands; past a million a header is damaged.
const maxDim = 1 << 20

// input is an open file of known size, or a pipe.
type input struct {
	origin
	f     source
	size  int64
	pipe  *bufio.Reader // what is left of a pipe; nil if f can be read at any offset
	named string        // the format named before the path, as an extension, or empty
	spent int64         // bytes that what was read of a Parquet file has unpacked to
}

// openInput opens the file that a name leads to: see package dataname.
func openInput(path string) (in *input, member string, err error) {
	format, file, member := dataname.Split(path)
	f, name := os.Stdin, stdinName
	var from source = standardInput{f}
	if file != dataname.Stdin {
		if f, err = os.Open(file); err != nil {
			return nil, "", fmt.Errorf("dataset: %w", dataname.ExplainOpen(file, err))
		}
		from, name = f, file
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		err = fmt.Errorf("dataset: %w", err)
	case info.IsDir():
		err = fmt.Errorf("dataset: %s is a directory, not a regular file: name a file in it", name)
	case dataname.IsStream(f, info.Mode()):
		in = newPipe(f, from, name)
	default:
		in = &input{origin: origin{name}, f: from, size: info.Size()}
	}
	if err != nil {
		from.Close()
		return nil, "", err
	}
	in.named = format
	return in, member, nil
}

// head returns the first n bytes, or fewer if the file is shorter.
func (in *input) head(n int) ([]byte, error) {
	if in.pipe != nil {
		b, err := in.pipe.Peek(n)
		if err != nil && err != io.EOF {
			return nil, in.caused(err, 0, "header", "can't be read")
		}
		return b, nil
	}
	b := make([]byte, n)
	got, err := in.f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return nil, in.caused(err, int64(got), "header", "can't be read")
	}
	return b[:got], nil
}

// all returns the whole file, for formats that are decoded at once.
func (in *input) all() ([]byte, error) {
	b, err := io.ReadAll(in.from(0, in.size))
	if err != nil {
		return nil, in.caused(err, int64(len(b)), "data", "can't be read")
	}
	return b, nil
}

// checkShape returns the bytes that rows × dim elements of the given size take, or an error if no file can hold them.
func (o origin) checkShape(off, rows, dim int64, size int) (bytes int64, err error) {
	if dim < 1 || dim > maxDim {
		return 0, o.bad(off, "dimension", "%d is not between 1 and %d", dim, maxDim)
	}
	if rows < 0 {
		return 0, o.bad(off, "rows", "%d is negative", rows)
	}
	hi, n := bits.Mul64(uint64(rows), uint64(dim)*uint64(size))
	if hi != 0 || n > 1<<62 {
		return 0, o.bad(off, "rows", "%d rows of %d elements are more than a file can hold", rows, dim)
	}
	return int64(n), nil
}
