package datafile

import (
	"bufio"
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/vector"
)

// parquetColumn is the column that vectors are written to.
const parquetColumn = "vector"

// rowGroupBytes is how much a row group holds; the library keeps one in memory.
const rowGroupBytes = 32 << 20

// parquetWriter writes a table of one column of lists.
type parquetWriter struct {
	rowCount
	f      *atomicfile.File
	buf    *bufio.Writer
	w      *parquet.GenericWriter[any]
	row    parquet.Row
	floats []float32
	group  int // rows in the open row group
}

func createParquet(path string, t vector.Type, dim int) (writer, error) {
	f, err := atomicfile.Create(path)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	element := parquet.FloatType
	if t == vector.Float16 {
		element = halfType{parquet.FixedLenByteArrayType(t.Size())}
	}
	leaf := parquet.Encoded(parquet.Leaf(element), &parquet.Plain) // vectors don't shrink by what Parquet offers
	schema := parquet.NewSchema("vectors", parquet.Group{parquetColumn: parquet.List(leaf)})
	buf := bufio.NewWriterSize(f, 4*blockSize)
	return &parquetWriter{
		rowCount: rowCount{path: path, typ: t, dim: dim},
		f:        f, buf: buf,
		w:      parquet.NewGenericWriter[any](buf, schema, parquet.Compression(&parquet.Uncompressed)),
		row:    make(parquet.Row, dim),
		floats: make([]float32, dim),
	}, nil
}

// halfType marks two bytes as a half float, for which the library has no type.
type halfType struct{ parquet.Type }

func (halfType) LogicalType() *format.LogicalType {
	return &format.LogicalType{Value: &format.Float16Type{}}
}

func (halfType) ConvertedType() *deprecated.ConvertedType { return nil }

func (w *parquetWriter) Write(m vector.Matrix) error {
	if err := w.admit(m); err != nil {
		return err
	}
	for i := range m.Rows() {
		w.fill(m, i)
		if _, err := w.w.WriteRows([]parquet.Row{w.row}); err != nil {
			return w.fail(err)
		}
		if w.group++; w.group*w.dim*w.typ.Size() < rowGroupBytes {
			continue
		}
		if err := w.w.Flush(); err != nil {
			return w.fail(err)
		}
		w.group = 0
	}
	w.rows += m.Rows()
	return nil
}

// fill makes the library's row of row i.
func (w *parquetWriter) fill(m vector.Matrix, i int) {
	const defined = 1 // the level of a value in a list
	size := w.typ.Size()
	if w.typ == vector.Float32 {
		m.Decode(i, w.floats)
	}
	raw := m.RowBytes(i)
	for j := range w.row {
		v := parquet.FixedLenByteArrayValue(raw[j*size:][:size])
		if w.typ == vector.Float32 {
			v = parquet.FloatValue(w.floats[j])
		}
		w.row[j] = v.Level(min(j, 1), defined, 0)
	}
}

func (w *parquetWriter) Close() error {
	if w.err != nil {
		return errors.Join(w.err, w.f.Abort())
	}
	err := w.w.Close()
	if err == nil {
		err = w.buf.Flush()
	}
	if err != nil {
		return errors.Join(w.fail(err), w.f.Abort())
	}
	w.err = errClosed
	return w.f.Commit()
}

func (w *parquetWriter) Abort() error {
	if w.err == nil {
		w.err = errAborted
	}
	return w.f.Abort()
}
