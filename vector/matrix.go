// Package vector has views of rows of numbers, in memory or in a mapped file, and the metrics that compare them.
package vector

import (
	"context"
	"errors"
	"fmt"
	"math"
	"unsafe"

	"github.com/shale-search/shale/internal/simd"
	"github.com/shale-search/shale/internal/sq8"
)

// Type is the type of a matrix's elements.
type Type uint8

// The element types. Float16 is IEEE 754 half precision, stored as uint16.
const (
	Float32 Type = iota
	Float16
	Int8
	Uint8

	// Those of rows within an index, see package rowtype.
	scaledInt8
	noRows
	external
)

// Size returns the number of bytes of an element.
func (t Type) Size() int {
	switch t {
	case Float32:
		return 4
	case Float16:
		return 2
	case noRows, external:
		return 0
	default:
		return 1
	}
}

// rowSize returns the number of bytes of a row of dim elements.
func (t Type) rowSize(dim int) int {
	if t == scaledInt8 {
		return sq8.RowSize(dim)
	}
	return dim * t.Size()
}

// align returns the alignment of a row's address in bytes.
func (t Type) align() int {
	if t == scaledInt8 {
		return sq8.Align
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

// ErrDim means that a vector doesn't have the expected dimension.
var ErrDim = errors.New("wrong dimension")

// Matrix is a view of rows of equal length and type. It doesn't own or copy its memory. The zero Matrix has no rows.
type Matrix struct {
	base   unsafe.Pointer
	stride uintptr
	rows   int
	dim    int
	typ    Type
}

// Of returns a view of data as rows of dim elements; uint16 is taken as Float16. len(data) must be a multiple of dim.
func Of[T float32 | uint16 | int8 | uint8](data []T, dim int) (Matrix, error) {
	if dim <= 0 || len(data)%dim != 0 {
		return Matrix{}, fmt.Errorf("%w: %d values are not rows of %d", ErrDim, len(data), dim)
	}
	m := Matrix{base: unsafe.Pointer(unsafe.SliceData(data)), rows: len(data) / dim, dim: dim, typ: typeOf[T]()}
	m.stride = uintptr(m.typ.rowSize(dim))
	return m, nil
}

// FromBytes returns a view of b, which is little-endian, as rows of dim elements of type t. Rows start stride bytes
// apart; a stride of 0 means that they are packed. b must be aligned to the size of an element.
func FromBytes(b []byte, t Type, rows, dim, stride int) (Matrix, error) {
	if rows < 0 || dim <= 0 || dim > math.MaxInt32 {
		return Matrix{}, fmt.Errorf("%w: %d × %d", ErrDim, rows, dim)
	}
	row := t.rowSize(dim)
	if stride == 0 {
		stride = row
	}
	p := unsafe.Pointer(unsafe.SliceData(b))
	if stride < row || stride%t.align() != 0 || uintptr(p)%uintptr(t.align()) != 0 {
		return Matrix{}, fmt.Errorf("vector: rows of %d × %s don't fit a stride of %d at this address", dim, t, stride)
	}
	if rows > 0 && row > 0 && (len(b)-row < 0 || (len(b)-row)/stride < rows-1) {
		return Matrix{}, fmt.Errorf("vector: %d bytes don't hold %d rows of %d × %s", len(b), rows, dim, t)
	}
	return Matrix{base: p, stride: uintptr(stride), rows: rows, dim: dim, typ: t}, nil
}

func typeOf[T float32 | uint16 | int8 | uint8]() Type {
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

// Rows returns the number of rows.
func (m Matrix) Rows() int { return m.rows }

// Dim returns the number of elements of a row.
func (m Matrix) Dim() int { return m.dim }

// Type returns the type of the elements.
func (m Matrix) Type() Type { return m.typ }

// Stride returns the number of bytes from one row to the next.
func (m Matrix) Stride() int { return int(m.stride) }

// Slice returns a view of the rows lo to hi − 1.
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

// Blocks calls fn with all rows in order, a block at a time; first is the number of a block's first row. It stops at
// the first error of fn, and when ctx ends.
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

// at returns the address of row i, which the caller has checked.
func (m Matrix) at(i int) unsafe.Pointer { return unsafe.Add(m.base, uintptr(i)*m.stride) }

// RowBytes returns row i as bytes, without copying.
func (m Matrix) RowBytes(i int) []byte {
	if uint(i) >= uint(m.rows) {
		panic(fmt.Sprintf("vector: row %d of %d", i, m.rows))
	}
	return unsafe.Slice((*byte)(m.at(i)), m.typ.rowSize(m.dim))
}

// Row returns row i without copying. T must be the matrix's element type.
func Row[T float32 | uint16 | int8 | uint8](m Matrix, i int) []T {
	if uint(i) >= uint(m.rows) || typeOf[T]() != m.typ {
		panic(fmt.Sprintf("vector: row %d of %d × %s", i, m.rows, m.typ))
	}
	return unsafe.Slice((*T)(m.at(i)), m.dim)
}

// Decode writes row i as float32 to dst, which must have room for Dim elements. It panics for NoRows and External.
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
	case scaledInt8:
		simd.Active.DecodeSQ8(&dst[0], unsafe.Pointer(&m.RowBytes(i)[0]), m.dim)
	default:
		panic(fmt.Sprintf("vector: rows of %s can't be read", m.typ))
	}
}
