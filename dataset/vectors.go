package dataset

import (
	"context"
	"io"

	"github.com/shale-search/shale/internal/datafile"
	"github.com/shale-search/shale/vector"
)

// File is the vectors of one or several files, one file after another. Reading them takes the memory of one block,
// never that of a file. A File is a shale.Source: pass it to shale.Build. It isn't safe for concurrent use.
type File datafile.File

// Open examines files of vectors and returns them as one. Each must hold at least one vector, and all must have the
// same type and dimension. Open doesn't keep them open. Pipes are an error, since a build may read its vectors more
// than once.
func Open(paths ...string) (*File, error) {
	f, err := datafile.Open(paths...)
	return (*File)(f), err
}

func (f *File) file() *datafile.File { return (*datafile.File)(f) }

// Rows returns the number of vectors.
func (f *File) Rows() int { return f.file().Rows() }

// Dim returns the number of values of a vector.
func (f *File) Dim() int { return f.file().Dim() }

// Type returns the type of the values that Blocks passes on. Doubles are read as Float32.
func (f *File) Type() vector.Type { return f.file().Type() }

// Blocks calls fn with all rows in order, a block at a time; first is the number of a block's first row. A block never
// spans two files, and fn must not keep it. Blocks stops at the first error of fn, and when ctx ends.
func (f *File) Blocks(ctx context.Context, fn func(first int, rows vector.Matrix) error) error {
	return f.file().Blocks(ctx, fn)
}

// ReadAll reads a file of vectors into memory, without converting them.
func ReadAll(path string) (vector.Matrix, error) { return datafile.ReadAll(path) }

// Map maps a file of vectors into memory: reading a row brings its pages from disk. The file must store rows packed, in
// a type of package vector: .npy in C order, .fbin, .u8bin or .i8bin.
//
// The matrix must not be used after the closer is closed, and the file must not change before. Reading rows that were
// cut off crashes the program.
func Map(path string) (vector.Matrix, io.Closer, error) { return datafile.Map(path) }

// Write writes a file of vectors of type t and dim values. It calls fill, which calls put with the rows, in blocks of
// any size.
//
// The extension chooses the format: .npy for every type, .fvecs and .fbin for Float32, .i8bin for Int8, .bvecs and
// .u8bin for Uint8, .parquet for Float32 and Float16.
func Write(path string, t vector.Type, dim int, fill func(put func(rows vector.Matrix) error) error) error {
	return datafile.Write(path, t, dim, fill)
}
