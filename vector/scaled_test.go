package vector

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// scaledOf stores rows as ScaledInt8.
func scaledOf(t *testing.T, rows [][]float32) Matrix {
	t.Helper()
	dim := len(rows[0])
	size := ScaledInt8.RowSize(dim)
	words := make([]uint32, len(rows)*size/4)
	b := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), 4*len(words))
	m, err := FromBytes(b, ScaledInt8, len(rows), dim, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		m.Encode(i, row)
	}
	return m
}

// TestScaledRowsComeBack: every value is off by at most half a step, which is a 127th of the row's largest.
func TestScaledRowsComeBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, dim := range []int{1, 2, 3, 4, 5, 100, 384, 1001} {
		rows := [][]float32{make([]float32, dim), make([]float32, dim), make([]float32, dim), make([]float32, dim)}
		for j := range dim {
			rows[1][j] = r.Float32() - 0.5
			rows[2][j] = float32(r.NormFloat64()) * 1e36
			rows[3][j] = float32(r.NormFloat64()) * 1e-44
		}
		rows[1][0], rows[2][dim-1] = -3, math.MaxFloat32
		m, got := scaledOf(t, rows), make([]float32, dim)
		for i, row := range rows {
			m.Decode(i, got)
			largest := 0.0
			for _, v := range row {
				largest = max(largest, math.Abs(float64(v)))
			}
			allowed := largest/254*1.0001 + 127*math.SmallestNonzeroFloat32 // a denormal scale is a rounded one
			for j, v := range row {
				if off := math.Abs(float64(got[j]) - float64(v)); !(off <= allowed) {
					t.Fatalf("dim %d, row %d: %v came back as %v", dim, i, v, got[j])
				}
			}
		}
	}
}

// TestScaledRowsAreScored: distances are those of the decoded rows.
func TestScaledRowsAreScored(t *testing.T) {
	const n, dim = 100, 37
	r := rand.New(rand.NewPCG(3, 4))
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = make([]float32, dim)
		for j := range rows[i] {
			rows[i][j] = float32(r.NormFloat64())
		}
	}
	m := scaledOf(t, rows)
	plain := make([]float32, n*dim)
	for i := range n {
		m.Decode(i, plain[i*dim:(i+1)*dim])
	}
	decoded, err := Of(plain, dim)
	if err != nil {
		t.Fatal(err)
	}
	custom := func(a, b []float32) float32 { return a[0] - b[dim-1] }
	for _, metric := range []Metric{L2, IP, Cosine} {
		for _, c := range []DistanceFunc{nil, custom} {
			is, err := NewRowScorer(m, metric, c)
			if err != nil {
				t.Fatal(err)
			}
			want, err := NewRowScorer(decoded, metric, c)
			if err != nil {
				t.Fatal(err)
			}
			is.BindRow(5)
			want.BindRow(5)
			for _, count := range []int{0, 1, 7, 8, 9, 16, 33, n} {
				ids := make([]uint32, count)
				for i := range ids {
					ids[i] = uint32(r.IntN(n))
				}
				a, b := make([]float32, count+1), make([]float32, count+1)
				is.Score(ids, a)
				want.Score(ids, b)
				for i := range ids {
					if a[i] != b[i] {
						t.Fatalf("%v, %d rows: row %d at %v, decoded at %v", metric, count, ids[i], a[i], b[i])
					}
				}
			}
		}
	}
}
