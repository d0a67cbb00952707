package dataset

import (
	"bufio"
	"fmt"
	"io"
	"math/bits"
	"os"
	"path/filepath"
	"strings"
)

// maxDim bounds a row's elements. Vectors in use have thousands; past a million a header is damaged.
const maxDim = 1 << 20

// input is an opened file of known size, or a pipe.
type input struct {
	origin
	f     source
	size  int64
	pipe  *bufio.Reader // what is left of a pipe; nil: f can be read at any place
	named string        // the format that was named before the path, as an extension; else empty
}

// openInput opens a path, which may begin with a format and end with a member.
func openInput(path string) (in *input, member string, err error) {
	format, file := splitFormat(path)
	file, member = splitMember(file)
	f, name := os.Stdin, stdinName
	var from source = standardInput{f}
	if file != stdinPath {
		if f, err = os.Open(file); err != nil {
			return nil, "", fmt.Errorf("dataset: %w", err)
		}
		from, name = f, file
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		err = fmt.Errorf("dataset: %w", err)
	case info.IsDir():
		err = fmt.Errorf("dataset: %s is a directory, not a regular file: name a file in it", name)
	case isPipe(f, info.Mode()):
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

// head is the first n bytes, fewer where the file is shorter.
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

// all is the whole file, for formats that are decoded in one go.
func (in *input) all() ([]byte, error) {
	b, err := io.ReadAll(in.from(0, in.size))
	if err != nil {
		return nil, in.caused(err, int64(len(b)), "data", "can't be read")
	}
	return b, nil
}

// containers are the extensions after which a path may name a member.
var containers = []string{".npz", ".parquet", ".hdf5", ".h5"}

// splitMember parts "file.npz:name" in path and member. A file whose own name is so is taken as such.
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

// extension is the path's extension in lower case.
func extension(path string) string { return strings.ToLower(filepath.Ext(path)) }

// checkShape checks rows × dim elements of size bytes against what a reader can address.
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
