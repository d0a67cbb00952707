// Package vector gives views of rows of numbers held in memory or in a mapping, the metrics over them, and the scorers
// that bind a query to a metric and to stored rows.
package vector

import (
	"context"
	"errors"
	"fmt"
	"math"
	"unsafe"

	"github.com/shale-search/shale/internal/simd"
)

// Type is the type of a matrix's elements.
type Type uint8

// The element types. Float16 is IEEE 754 half precision, held as uint16. ScaledInt8 is int8 with a float32 scale a row,
// which multiplies all elements and follows them at the next multiple of 4 bytes. Rows of NoRows hold nothing, and neither do
// those of External, which lie somewhere else.
const (
	Float32 Type = iota
	Float16
	Int8
	Uint8
	ScaledInt8
	NoRows
	External
)

// Size is the number of bytes an element takes.
func (t Type) Size() int {
	switch t {
	case Float32:
		return 4
	case Float16:
		return 2
	case NoRows, External:
		return 0
	default:
		return 1
	}
}

// RowSize is the number of bytes that a row of dim elements takes.
func (t Type) RowSize(dim int) int {
	if t == ScaledInt8 {
		return scaleAt(dim) + scaleSize
	}
	return dim * t.Size()
}

// Align is what the address of a row must be a multiple of.
func (t Type) Align() int {
	if t == ScaledInt8 {
		return scaleSize
	}
	return max(t.Size(), 1)
}

func (t Type) String() string {
	names := [...]string{"fp32", "fp16", "int8", "uint8", "sq8", "none", "external"}
	if int(t) < len(names) {
		return names[t]
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

// ErrDim reports vectors whose dimension is not the one expected.
var ErrDim = errors.New("wrong dimension")

// Matrix is a view of rows × dim elements of one type; row i starts at byte i × stride. It owns nothing: what it views
// must outlive it. The zero Matrix has no rows.
type Matrix struct {
	base   unsafe.Pointer
	stride uintptr
	rows   int
	dim    int
	typ    Type
}

// Element is a Go type that a matrix can view.
type Element interface {
	float32 | uint16 | int8 | uint8
}

// Of views data as rows of dim elements; uint16 is taken as float16. len(data) must be a multiple of dim.
func Of[T Element](data []T, dim int) (Matrix, error) {
	if dim <= 0 || len(data)%dim != 0 {
		return Matrix{}, fmt.Errorf("%w: %d values are not rows of %d", ErrDim, len(data), dim)
	}
	m := Matrix{base: unsafe.Pointer(unsafe.SliceData(data)), rows: len(data) / dim, dim: dim, typ: typeOf[T]()}
	m.stride = uintptr(m.typ.RowSize(dim))
	return m, nil
}

// FromBytes views b, little-endian, as rows of dim elements of type t, stride bytes apart (0: packed). b must be aligned
// to t.Align() bytes.
func FromBytes(b []byte, t Type, rows, dim, stride int) (Matrix, error) {
	if rows < 0 || dim <= 0 || dim > math.MaxInt32 {
		return Matrix{}, fmt.Errorf("%w: %d × %d", ErrDim, rows, dim)
	}
	row := t.RowSize(dim)
	if stride == 0 {
		stride = row
	}
	p := unsafe.Pointer(unsafe.SliceData(b))
	if stride < row || stride%t.Align() != 0 || uintptr(p)%uintptr(t.Align()) != 0 {
		return Matrix{}, fmt.Errorf("vector: rows of %d × %s don't fit a stride of %d at this address", dim, t, stride)
	}
	if rows > 0 && row > 0 && (len(b)-row < 0 || (len(b)-row)/stride < rows-1) {
		return Matrix{}, fmt.Errorf("vector: %d bytes don't hold %d rows of %d × %s", len(b), rows, dim, t)
	}
	return Matrix{base: p, stride: uintptr(stride), rows: rows, dim: dim, typ: t}, nil
}

func typeOf[T Element]() Type {
	var zero T
	switch any(zero).(type) {
	case float32:
		return Float32
	case uint16:
		return Float16
	case int8:
		return Int8
	default:
		return Uint8
	}
}

// Rows is the number of rows.
func (m Matrix) Rows() int { return m.rows }

// Dim is the number of elements a row.
func (m Matrix) Dim() int { return m.dim }

// Type is the elements' type.
func (m Matrix) Type() Type { return m.typ }

// Stride is the number of bytes from one row to the next.
func (m Matrix) Stride() int { return int(m.stride) }

// Slice views rows lo to hi (exclusive).
func (m Matrix) Slice(lo, hi int) Matrix {
	if lo < 0 || hi < lo || hi > m.rows {
		panic(fmt.Sprintf("vector: rows %d to %d of %d", lo, hi, m.rows))
	}
	if lo < hi {
		m.base = m.at(lo)
	}
	m.rows = hi - lo
	return m
}

// blockRows is the number of rows that Blocks passes on at once.
const blockRows = 1 << 14

// Blocks calls fn with all rows in order, a block at a time; first is the number of a block's first row. It stops at the
// first error of fn, and when ctx ends.
func (m Matrix) Blocks(ctx context.Context, fn func(first int, rows Matrix) error) error {
	for first := 0; first < m.rows; first += blockRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fn(first, m.Slice(first, min(first+blockRows, m.rows))); err != nil {
			return err
		}
	}
	return nil
}

// at is the address of row i, which the caller has checked.
func (m Matrix) at(i int) unsafe.Pointer { return unsafe.Add(m.base, uintptr(i)*m.stride) }

// RowBytes views row i as bytes.
func (m Matrix) RowBytes(i int) []byte {
	if uint(i) >= uint(m.rows) {
		panic(fmt.Sprintf("vector: row %d of %d", i, m.rows))
	}
	return unsafe.Slice((*byte)(m.at(i)), m.typ.RowSize(m.dim))
}

// Row views row i; T must be the matrix's element type.
func Row[T Element](m Matrix, i int) []T {
	if uint(i) >= uint(m.rows) || typeOf[T]() != m.typ {
		panic(fmt.Sprintf("vector: row %d of %d × %s", i, m.rows, m.typ))
	}
	return unsafe.Slice((*T)(m.at(i)), m.dim)
}

// Decode writes row i to dst, which must hold Dim elements, as float32. It panics where there are no rows.
func (m Matrix) Decode(i int, dst []float32) {
	dst = dst[:m.dim]
	switch m.typ {
	case Float32:
		copy(dst, Row[float32](m, i))
	case Float16:
		simd.Active.DecodeF16(&dst[0], &Row[uint16](m, i)[0], m.dim)
	case Int8:
		for j, v := range Row[int8](m, i) {
			dst[j] = float32(v)
		}
	case Uint8:
		for j, v := range Row[uint8](m, i) {
			dst[j] = float32(v)
		}
	case ScaledInt8:
		simd.Active.DecodeSQ8(&dst[0], unsafe.Pointer(&m.RowBytes(i)[0]), m.dim)
	default:
		panic(fmt.Sprintf("vector: rows of %s can't be read", m.typ))
	}
}
