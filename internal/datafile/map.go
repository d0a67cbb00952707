package datafile

import (
	"fmt"
	"io"

	"github.com/shale-search/shale/internal/dataname"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/vector"
)

// Map maps a file of vectors into memory: reading a row brings its pages from disk. The rows must be stored packed, in
// a type of package vector: .npy in C order, .fbin, .u8bin or .i8bin.
//
// The matrix must not be used after the closer is closed, and the file must not change before. Reading rows that were
// cut off crashes the program.
func Map(path string) (vector.Matrix, io.Closer, error) {
	if dataname.IsPipe(path) || path == dataname.Stdin {
		return vector.Matrix{}, nil, fmt.Errorf("dataset: %s: %w: a pipe can't be mapped: write it to a file first",
			path, ErrUnsupported)
	}
	r, err := openReader(path)
	if err != nil {
		return vector.Matrix{}, nil, err
	}
	defer r.Close()
	s := r.(*stream)
	src, ok := s.src.(*denseSource)
	if !ok || !src.inFile() || !s.dt.native() {
		return vector.Matrix{}, nil, s.caused(ErrUnsupported, -1, "format",
			"can't be mapped: write it as .npy of float32 or float16, in C order")
	}
	size := src.off + int64(s.rows)*int64(s.rowBytes())
	region, err := mmap.File(s.file, size)
	if err != nil {
		return vector.Matrix{}, nil, fmt.Errorf("dataset: %w", err)
	}
	m, err := vector.FromBytes(region.Bytes()[src.off:], s.typ, s.rows, s.dim, 0)
	if err != nil {
		region.Close()
		return vector.Matrix{}, nil, s.caused(err, src.off, "data", "can't be mapped")
	}
	return m, region, nil
}

// inFile reports whether rows are read from a plain file, not from an archive.
func (d *denseSource) inFile() bool {
	_, ok := d.r.(*io.SectionReader)
	return ok
}
