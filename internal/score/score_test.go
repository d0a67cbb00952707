package score

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/vector"
)

// scaledRows makes room for rows of rowtype.ScaledInt8.
func scaledRows(t testing.TB, rows, dim int) vector.Matrix {
	t.Helper()
	words := make([]uint32, rows*rowtype.Size(rowtype.ScaledInt8, dim)/4)
	b := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), 4*len(words))
	m, err := vector.FromBytes(b, rowtype.ScaledInt8, rows, dim, 0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// reference is a metric in double precision.
func reference(m vector.Metric, a, b []float32) float64 {
	var l2, dot float64
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		l2 += d * d
		dot += float64(a[i]) * float64(b[i])
	}
	if m == vector.L2 {
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
		floats, _ := vector.Of(make([]float32, rows*dim), dim)
		halves, _ := vector.Of(make([]uint16, rows*dim), dim)
		row, query := make([]float32, dim), make([]float32, dim)
		for i := range rows {
			for j := range row {
				row[j] = float32(rnd.IntN(64)-32) / 8 // exact as a half
			}
			rowtype.Encode(floats, i, row)
			rowtype.Encode(halves, i, row)
		}
		ids := []uint32{19, 0, 7, 7, 3, 12, 1}
		out := make([]float32, len(ids))
		for _, m := range []vector.Matrix{floats, halves} {
			for _, metric := range []vector.Metric{vector.L2, vector.IP, vector.Cosine} {
				s, err := New(m, metric, nil)
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
	bytes, _ := vector.Of([]int8{1, 2}, 2)
	if _, err := New(bytes, vector.L2, nil); err == nil {
		t.Error("rows of int8 were accepted")
	}
}

// TestScaledScorer compares distances with those of decoded rows; that of a row to itself is 0 exactly.
func TestScaledScorer(t *testing.T) {
	const rows = 20
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, dim := range []int{1, 3, 16, 100, 385} {
		m, row, query := scaledRows(t, rows, dim), make([]float32, dim), make([]float32, dim)
		for i := range rows {
			for j := range row {
				row[j] = float32(rnd.NormFloat64())
			}
			rowtype.Encode(m, i, row)
		}
		ids, out := []uint32{19, 0, 7, 7, 3, 12, 1}, make([]float32, 7)
		for _, metric := range []vector.Metric{vector.L2, vector.IP, vector.Cosine} {
			s, err := New(m, metric, nil)
			if err != nil {
				t.Fatal(err)
			}
			s.BindRow(5)
			m.Decode(5, query)
			s.Score(ids, out)
			for i, id := range ids {
				m.Decode(int(id), row)
				if want := reference(metric, query, row); math.Abs(float64(out[i])-want) > 1e-5*(float64(dim)+math.Abs(want)) {
					t.Fatalf("dim %d, %s, row %d: %v, want %v", dim, metric, id, out[i], want)
				}
			}
			s.Score([]uint32{5}, out)
			if metric == vector.L2 && out[0] != 0 {
				t.Errorf("dim %d: a row is at %g of itself", dim, out[0])
			}
		}
	}
}

// TestNoRows: a matrix of no rows has a length but nothing to read.
func TestNoRows(t *testing.T) {
	m, err := vector.FromBytes(nil, rowtype.NoRows, 9, 4, 0)
	if err != nil || m.Rows() != 9 || m.Stride() != 0 || len(m.RowBytes(8)) != 0 {
		t.Fatalf("%+v, %v", m, err)
	}
	rowtype.Encode(m, 3, make([]float32, 4))
	rowtype.Move(m, 1, 2)
	if m = m.Slice(2, 5); m.Rows() != 3 {
		t.Errorf("%d rows", m.Rows())
	}
	if _, err := New(m, vector.L2, nil); err == nil {
		t.Error("no rows can be scored")
	}
	defer func() {
		if recover() == nil {
			t.Error("no rows were read")
		}
	}()
	m.Decode(0, make([]float32, 4))
}
