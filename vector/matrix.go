// Package vector gives views of rows of numbers held in memory or in a mapping, the metrics over them, and the scorers
// that bind a query to a metric and to stored rows.
package vector

import (
	"errors"
	"fmt"
	"math"
	"unsafe"

	"github.com/shale-search/shale/internal/simd"
)

// Type is the type of a matrix's elements.
type Type uint8

// The element types. Float16 is IEEE 754 half precision, held as uint16. Rows of ScaledInt8 are signed bytes that a float32
// after them, a row's own, multiplies.
const (
	Float32 Type = iota
	Float16
	Int8
	Uint8
	ScaledInt8
)

// scaleSize is the bytes of the factor of a ScaledInt8 row, which is aligned to so many.
const scaleSize = 4

// Size is the number of bytes an element takes.
func (t Type) Size() int {
	switch t {
	case Float32:
		return 4
	case Float16:
		return 2
	default:
		return 1
	}
}

func (t Type) String() string {
	names := [...]string{"fp32", "fp16", "int8", "uint8", "sq8"}
	if int(t) < len(names) {
		return names[t]
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

// RowSize is the number of bytes that a row of dim elements takes.
func (t Type) RowSize(dim int) int {
	if t == ScaledInt8 {
		return scaleAt(dim) + scaleSize
	}
	return dim * t.Size()
}

// Align is what the addresses of rows and the bytes between them are multiples of.
func (t Type) Align() int {
	if t == ScaledInt8 {
		return scaleSize
	}
	return t.Size()
}

// scaleAt is where the factor of a ScaledInt8 row lies in it.
func scaleAt(dim int) int { return (dim + scaleSize - 1) &^ (scaleSize - 1) }

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
	m.stride = uintptr(dim * m.typ.Size())
	return m, nil
}

// FromBytes views b, little-endian, as rows of dim elements of type t, stride bytes apart (0: packed). b must be aligned
// to the element's size.
func FromBytes(b []byte, t Type, rows, dim, stride int) (Matrix, error) {
	size, align := t.RowSize(dim), t.Align()
	if rows < 0 || dim <= 0 || dim > math.MaxInt32 {
		return Matrix{}, fmt.Errorf("%w: %d × %d", ErrDim, rows, dim)
	}
	if stride == 0 {
		stride = size
	}
	p := unsafe.Pointer(unsafe.SliceData(b))
	if stride < size || stride%align != 0 || uintptr(p)%uintptr(align) != 0 {
		return Matrix{}, fmt.Errorf("vector: rows of %d × %s don't fit a stride of %d at this address", dim, t, stride)
	}
	if rows > 0 && (len(b)-size < 0 || (len(b)-size)/stride < rows-1) {
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

// Decode writes row i to dst, which must hold Dim elements, as float32.
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
		values, scale := m.scaled(i)
		simd.Active.DecodeI8(&dst[0], &values[0], m.dim, *scale)
	}
}

// scaled views a row of ScaledInt8: its elements and what multiplies them.
func (m Matrix) scaled(i int) (values []int8, scale *float32) {
	row := m.RowBytes(i)
	return unsafe.Slice((*int8)(unsafe.Pointer(&row[0])), m.dim), (*float32)(unsafe.Pointer(&row[scaleAt(m.dim)]))
}
