package vector

import (
	"errors"
	"testing"
	"unsafe"
)

func TestOf(t *testing.T) {
	m, err := Of([]float32{1, 2, 3, 4, 5, 6}, 3)
	if err != nil || m.Rows() != 2 || m.Dim() != 3 || m.Type() != Float32 || m.Stride() != 12 {
		t.Fatalf("%+v, %v", m, err)
	}
	if r := Row[float32](m, 1); r[0] != 4 || len(r) != 3 {
		t.Errorf("row 1 is %v", r)
	}
	for _, dim := range []int{0, -1, 4} {
		if _, err := Of(make([]int8, 6), dim); !errors.Is(err, ErrDim) {
			t.Errorf("6 values of dim %d: %v", dim, err)
		}
	}
	if m, err := Of([]uint8{}, 3); err != nil || m.Rows() != 0 || m.Type() != Uint8 {
		t.Errorf("no rows: %+v, %v", m, err)
	}
}

func TestFromBytesChecks(t *testing.T) {
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(make([]uint64, 16)))), 128)
	for name, c := range map[string]struct {
		b                 []byte
		typ               Type
		rows, dim, stride int
		ok                bool
	}{
		"packed":                 {b, Float32, 4, 8, 0, true},
		"strided":                {b, Float16, 3, 8, 48, true},
		"last row without slack": {b[:112], Float16, 3, 8, 48, true},
		"none":                   {nil, Float32, 0, 8, 0, true},
		"too short":              {b[:127], Float32, 4, 8, 0, false},
		"last row cut":           {b[:111], Float16, 3, 8, 48, false},
		"overlapping rows":       {b, Float32, 2, 8, 16, false},
		"stride not of floats":   {b, Float32, 2, 8, 34, false},
		"not aligned":            {b[2:], Float32, 2, 8, 0, false},
		"negative rows":          {b, Uint8, -1, 8, 0, false},
		"scaled":                 {b, scaledInt8, 8, 9, 0, true},
		"scaled, cut":            {b[:127], scaledInt8, 8, 9, 0, false},
		"scales not aligned":     {b, scaledInt8, 2, 8, 14, false},
		"no dim":                 {b, Uint8, 1, 0, 0, false},
		"too many rows":          {b, Uint8, 1 << 62, 8, 0, false},
		"size overflows":         {b, Uint8, 1<<61 + 1, 8, 8, false},
	} {
		m, err := FromBytes(c.b, c.typ, c.rows, c.dim, c.stride)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && c.rows > 0 && len(m.RowBytes(c.rows-1)) != c.typ.rowSize(c.dim) {
			t.Errorf("%s: last row of %d bytes", name, len(m.RowBytes(c.rows-1)))
		}
	}
}

func TestSlice(t *testing.T) {
	m, err := Of([]uint8{0, 1, 2, 3, 4, 5}, 2)
	if err != nil {
		t.Fatal(err)
	}
	s := m.Slice(1, 3)
	if s.Rows() != 2 || Row[uint8](s, 0)[0] != 2 || Row[uint8](s, 1)[1] != 5 {
		t.Errorf("rows 1 to 3 are %v and %v", s.RowBytes(0), s.RowBytes(1))
	}
	if s = m.Slice(3, 3); s.Rows() != 0 {
		t.Errorf("%d rows from 3 to 3", s.Rows())
	}
	for name, f := range map[string]func(){
		"past the end":   func() { m.Slice(1, 4) },
		"backwards":      func() { m.Slice(2, 1) },
		"row":            func() { m.RowBytes(3) },
		"negative":       func() { m.RowBytes(-1) },
		"row of another": func() { Row[int8](m, 0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
