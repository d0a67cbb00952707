package datafile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/dataname"
	"github.com/shale-search/shale/vector"
)

// Write writes a file of vectors of type t and dim values, atomically: it appears under its name once fill has returned
// without an error, or not at all. fill calls put with the rows, in blocks of any size.
//
// The format follows from the extension: .npy for every type, .fvecs and .fbin for Float32, .i8bin for Int8, .bvecs and
// .u8bin for Uint8, .parquet for Float32 and Float16.
func Write(path string, t vector.Type, dim int, fill func(put func(rows vector.Matrix) error) error) error {
	w, err := create(path, t, dim)
	if err != nil {
		return err
	}
	if err := fill(w.Write); err != nil {
		return errors.Join(err, w.Abort())
	}
	return w.Close()
}

// writer writes a file of vectors. It isn't safe for concurrent use.
type writer interface {
	// Write appends rows of the writer's type and dimension. After an error later calls return it again.
	Write(m vector.Matrix) error
	// Close makes the file appear under its name. If a Write failed, Close aborts and returns that error.
	Close() error
	// Abort drops what was written and leaves any earlier file of that name as it was. After Close it does nothing.
	Abort() error
}

// create starts a file of vectors.
func create(path string, t vector.Type, dim int) (writer, error) {
	if dim < 1 || dim > maxDim {
		return nil, fmt.Errorf("dataset: %s: %w: %d is not between 1 and %d", path, vector.ErrDim, dim, maxDim)
	}
	ext := dataname.Extension(path)
	layouts, ok := layoutsByExtension[ext]
	if !ok {
		return nil, fmt.Errorf("dataset: %s: %w: want .npy, .fvecs, .bvecs, .fbin, .u8bin, .i8bin or .parquet",
			path, ErrUnknownFormat)
	}
	l, ok := layouts[t]
	if !ok {
		return nil, fmt.Errorf("dataset: %s: %w: %s files don't hold %s: write .npy", path, ErrUnsupported, ext, t)
	}
	if l == parquetLayout {
		return createParquet(path, t, dim)
	}
	return createRows(path, l, t, dim)
}

// layout is the way a format stores rows.
type layout int

const (
	npyLayout layout = iota
	vecsLayout
	binLayout
	parquetLayout
)

var layoutsByExtension = map[string]map[vector.Type]layout{
	".npy":     {vector.Float32: npyLayout, vector.Float16: npyLayout, vector.Int8: npyLayout, vector.Uint8: npyLayout},
	".fvecs":   {vector.Float32: vecsLayout},
	".bvecs":   {vector.Uint8: vecsLayout},
	".fbin":    {vector.Float32: binLayout},
	".u8bin":   {vector.Uint8: binLayout},
	".i8bin":   {vector.Int8: binLayout},
	".parquet": {vector.Float32: parquetLayout, vector.Float16: parquetLayout},
}

// header returns the beginning of a file with the given number of rows.
func (l layout) header(t vector.Type, rows, dim int) []byte {
	switch l {
	case npyLayout:
		descr := map[vector.Type]string{vector.Float32: "<f4", vector.Float16: "<f2", vector.Int8: "|i1", vector.Uint8: "|u1"}
		return encodeNpyHeader(descr[t], rows, dim)
	case binLayout:
		b := binary.LittleEndian.AppendUint32(nil, uint32(rows))
		return binary.LittleEndian.AppendUint32(b, uint32(dim))
	}
	return nil
}

// rowWriter writes packed rows, each after the same prefix. It writes the header again at the end, when the number of
// rows is known.
type rowWriter struct {
	rowCount
	f      *atomicfile.File
	w      *bufio.Writer
	layout layout
	prefix []byte
}

func createRows(path string, l layout, t vector.Type, dim int) (writer, error) {
	f, err := atomicfile.Create(path)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	w := &rowWriter{rowCount: rowCount{path: path, typ: t, dim: dim}, f: f,
		w: bufio.NewWriterSize(f, 4*blockSize), layout: l}
	if l == vecsLayout {
		w.prefix = binary.LittleEndian.AppendUint32(nil, uint32(dim))
	}
	if _, err := w.w.Write(l.header(t, 0, dim)); err != nil {
		return nil, errors.Join(fmt.Errorf("dataset: write %s: %w", path, err), f.Abort())
	}
	return w, nil
}

func (w *rowWriter) Write(m vector.Matrix) error {
	if err := w.admit(m); err != nil {
		return err
	}
	if w.layout == binLayout && int64(w.rows)+int64(m.Rows()) > math.MaxUint32 {
		return w.fail(fmt.Errorf("%w: more than 2^32-1 rows don't fit: write .npy", ErrUnsupported))
	}
	for i := range m.Rows() {
		if _, err := w.w.Write(w.prefix); err != nil {
			return w.fail(err)
		}
		if _, err := w.w.Write(m.RowBytes(i)); err != nil {
			return w.fail(err)
		}
	}
	w.rows += m.Rows()
	return nil
}

func (w *rowWriter) Close() error {
	if w.err != nil {
		return errors.Join(w.err, w.f.Abort())
	}
	err := w.w.Flush()
	if header := w.layout.header(w.typ, w.rows, w.dim); err == nil && header != nil {
		_, err = w.f.WriteAt(header, 0)
	}
	if err != nil {
		return errors.Join(w.fail(err), w.f.Abort())
	}
	w.err = errClosed
	return w.f.Commit()
}

func (w *rowWriter) Abort() error {
	if w.err == nil {
		w.err = errAborted
	}
	return w.f.Abort()
}

var (
	errClosed  = errors.New("dataset: the writer is closed")
	errAborted = errors.New("dataset: the writer was aborted")
)

// rowCount is the state that all writers have.
type rowCount struct {
	path      string
	typ       vector.Type
	dim, rows int
	err       error // the first failure
}

// admit returns an error if m can't be written.
func (c *rowCount) admit(m vector.Matrix) error {
	switch {
	case c.err != nil:
		return c.err
	case m.Rows() == 0:
		return nil
	case m.Dim() != c.dim || m.Type() != c.typ:
		return c.fail(fmt.Errorf("%w: rows of %d %s in a file of %d %s", vector.ErrDim, m.Dim(), m.Type(), c.dim, c.typ))
	}
	return nil
}

func (c *rowCount) fail(err error) error {
	c.err = fmt.Errorf("dataset: write %s: %w", c.path, err)
	return c.err
}
