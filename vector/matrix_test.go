package vector

import (
	"errors"
	"math/rand/v2"
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
		"scaled":                 {b, ScaledInt8, 8, 9, 0, true},
		"scaled, cut":            {b[:127], ScaledInt8, 8, 9, 0, false},
		"scales not aligned":     {b, ScaledInt8, 2, 8, 14, false},
		"no dim":                 {b, Uint8, 1, 0, 0, false},
		"too many rows":          {b, Uint8, 1 << 62, 8, 0, false},
		"size overflows":         {b, Uint8, 1<<61 + 1, 8, 8, false},
	} {
		m, err := FromBytes(c.b, c.typ, c.rows, c.dim, c.stride)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && c.rows > 0 && len(m.RowBytes(c.rows-1)) != c.typ.RowSize(c.dim) {
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
		"encode bytes":   func() { m.Encode(0, []float32{1, 2}) },
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

func TestDecodeAndEncode(t *testing.T) {
	src := []float32{-1.5, 0, 2.25, 100}
	floats, _ := Of(make([]float32, 8), 4)
	halves, _ := Of(make([]uint16, 8), 4)
	for _, m := range []Matrix{floats, halves} {
		m.Encode(1, src)
		got := make([]float32, 4)
		m.Decode(1, got)
		for i := range src {
			if got[i] != src[i] {
				t.Errorf("%s: %v came back as %v", m.Type(), src, got)
			}
		}
		if m.Decode(0, got); got[3] != 0 {
			t.Errorf("%s: row 0 was touched: %v", m.Type(), got)
		}
	}
	signed, _ := Of([]int8{-128, 127}, 2)
	unsigned, _ := Of([]uint8{0, 255}, 2)
	got := make([]float32, 2)
	if signed.Decode(0, got); got[0] != -128 || got[1] != 127 {
		t.Errorf("int8 became %v", got)
	}
	if unsigned.Decode(0, got); got[0] != 0 || got[1] != 255 {
		t.Errorf("uint8 became %v", got)
	}
}

// reference is a metric in double precision.
func reference(m Metric, a, b []float32) float64 {
	var l2, dot float64
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		l2 += d * d
		dot += float64(a[i]) * float64(b[i])
	}
	if m == L2 {
		return l2
	}
	return 1 - dot
}

func TestRowScorer(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	manhattan := func(a, b []float32) float32 {
		var s float32
		for i := range a {
			s += max(a[i]-b[i], b[i]-a[i])
		}
		return s
	}
	for _, dim := range []int{1, 3, 16, 100} {
		const rows = 20
		floats, _ := Of(make([]float32, rows*dim), dim)
		halves, _ := Of(make([]uint16, rows*dim), dim)
		row, query := make([]float32, dim), make([]float32, dim)
		for i := range rows {
			for j := range row {
				row[j] = float32(rnd.IntN(64)-32) / 8 // exact as a half
			}
			floats.Encode(i, row)
			halves.Encode(i, row)
		}
		ids := []uint32{19, 0, 7, 7, 3, 12, 1}
		out := make([]float32, len(ids))
		for _, m := range []Matrix{floats, halves} {
			for _, metric := range []Metric{L2, IP, Cosine} {
				s, err := NewRowScorer(m, metric, nil)
				if err != nil {
					t.Fatal(err)
				}
				for j := range query {
					query[j] = float32(rnd.IntN(64)-32) / 8
				}
				copy(s.Query(), query)
				s.BindOwn()
				for range 2 { // by a query of its own, then by a row
					s.Score(ids, out)
					for i, id := range ids {
						m.Decode(int(id), row)
						if want := reference(metric, query, row); float64(out[i]) != want {
							t.Fatalf("dim %d, %s, %s, row %d: %v, want %v", dim, m.Type(), metric, id, out[i], want)
						}
					}
					s.BindRow(5)
					m.Decode(5, query)
				}
				if err := s.Reset(m, metric, manhattan); err != nil {
					t.Fatal(err)
				}
				s.BindRow(2)
				m.Decode(2, query)
				s.Score(ids, out)
				for i, id := range ids {
					m.Decode(int(id), row)
					if want := manhattan(query, row); out[i] != want {
						t.Fatalf("custom metric, row %d: %v, want %v", id, out[i], want)
					}
				}
			}
		}
	}
	bytes, _ := Of([]int8{1, 2}, 2)
	if _, err := NewRowScorer(bytes, L2, nil); err == nil {
		t.Error("rows of int8 were accepted")
	}
}
