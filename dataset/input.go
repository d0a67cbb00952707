package dataset

import (
	"fmt"
	"io"
	"math/bits"
	"os"
	"path/filepath"
	"strings"
)

// maxDim bounds a row's elements. Vectors in use have thousands; past a million a header is damaged.
const maxDim = 1 << 20

// input is an opened file of known size.
type input struct {
	origin
	f    *os.File
	size int64
}

func openInput(path string) (*input, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("dataset: %w", err)
	}
	if !info.Mode().IsRegular() {
		f.Close()
		return nil, fmt.Errorf("dataset: %s is not a regular file: copy it to one first", path)
	}
	return &input{origin: origin{path}, f: f, size: info.Size()}, nil
}

// head is the first n bytes, fewer where the file is shorter.
func (in *input) head(n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := in.f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return nil, in.caused(err, int64(got), "header", "can't be read")
	}
	return b[:got], nil
}

// all is the whole file, for formats that are decoded in one go.
func (in *input) all() ([]byte, error) {
	b, err := io.ReadAll(io.NewSectionReader(in.f, 0, in.size))
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
