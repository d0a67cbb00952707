package quant

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/shale-search/shale/vector"
)

// exactDistance is the distance that estimates are about, in double precision.
func exactDistance(m vector.Metric, a, b []float32) float64 {
	if m != vector.L2 {
		return 1 - dot(a, b)
	}
	var s float64
	for i, x := range a {
		d := float64(x) - float64(b[i])
		s += d * d
	}
	return s
}

// encodeAll makes the codes of rows.
func encodeAll(q *Quantizer, rows [][]float32) []byte {
	codes := make([]byte, q.Bytes(len(rows)))
	e := q.NewEncoder()
	for i, r := range rows {
		e.Encode(codes[i*q.Stride():(i+1)*q.Stride()], r)
	}
	return codes
}

func idsUpTo(n int) []uint32 {
	ids := make([]uint32, n)
	for i := range ids {
		ids[i] = uint32(i)
	}
	return ids
}

// TestEstimateIsTheDistanceToTheDecodedVector: apart from rounding the query, and for rows' own norms, an estimate is
// the distance of the query to what the code decodes to.
func TestEstimateIsTheDistanceToTheDecodedVector(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for _, dim := range dims {
		for _, bits := range allBits {
			for _, metric := range []vector.Metric{vector.L2, vector.IP} {
				for _, kind := range []Kind{RaBitQ, Scalar} {
					center := normal(rnd, dim)
					q := quantizer(t, Config{Dim: dim, Bits: bits, Metric: metric, Kind: kind, Seed: 9}, center)
					rows := [][]float32{normal(rnd, dim), normal(rnd, dim), center, normal(rnd, dim)}
					codes := encodeAll(q, rows)
					s := NewScorer(q, codes)
					query := normal(rnd, dim)
					copy(s.Query(), query)
					s.BindOwn()
					ids, out := []uint32{3, 0, 2, 1}, make([]float32, 4)
					s.Score(ids, out)
					e, decoded := q.NewEncoder(), make([]float32, dim)
					for i, id := range ids {
						e.Decode(decoded, codes[int(id)*q.Stride():])
						want := exactDistance(metric, query, decoded)
						if metric == vector.L2 { // estimates know the row's true length
							want += squaredDistance(rows[id], center) - squaredDistance(decoded, center)
						} else {
							want += dot(decoded, center) - dot(rows[id], center)
						}
						scale := norm(query)*norm(rows[id])/math.Sqrt(float64(dim)) + math.Abs(want)
						if off := math.Abs(float64(out[i]) - want); off > 0.05*scale {
							t.Fatalf("dim %d, %d bits, %s, %s, row %d: %v, want %v", dim, bits, metric, kind, id, out[i], want)
						}
					}
				}
			}
		}
	}
}

func squaredDistance(a, b []float32) float64 { return exactDistance(vector.L2, a, b) }

// TestBindRow: binding a row is binding what its code decodes to.
func TestBindRow(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 10))
	for _, metric := range []vector.Metric{vector.L2, vector.IP} {
		for _, bits := range allBits {
			const dim = 100
			center := normal(rnd, dim)
			q := quantizer(t, Config{Dim: dim, Bits: bits, Metric: metric, Seed: 1}, center)
			rows := [][]float32{normal(rnd, dim), normal(rnd, dim), normal(rnd, dim)}
			codes := encodeAll(q, rows)
			s, e := NewScorer(q, codes), q.NewEncoder()
			byRow, byVector := make([]float32, 3), make([]float32, 3)
			s.BindRow(1)
			s.Score(idsUpTo(3), byRow)
			e.Decode(s.Query(), codes[q.Stride():])
			s.BindOwn()
			s.Score(idsUpTo(3), byVector)
			for i := range byRow {
				// the row's own length enters as encoded, the vector's as decoded
				if d := math.Abs(float64(byRow[i] - byVector[i] - (byRow[1] - byVector[1]))); d > 0.03*float64(dim) {
					t.Errorf("%s, %d bits, row %d: %v by row, %v by vector", metric, bits, i, byRow[i], byVector[i])
				}
			}
		}
	}
}

// families are kinds of data that have tripped quantizers: each makes a row from a random source.
var families = map[string]func(rnd *rand.Rand, dim int) []float32{
	"normal":   normal,
	"constant": func(rnd *rand.Rand, dim int) []float32 { return filled(dim, float32(rnd.NormFloat64())) },
	"tiny":     func(rnd *rand.Rand, dim int) []float32 { return scaled(normal(rnd, dim), 1e-12) },
	"huge":     func(rnd *rand.Rand, dim int) []float32 { return scaled(normal(rnd, dim), 1e12) },
	"all sizes": func(rnd *rand.Rand, dim int) []float32 {
		return scaled(normal(rnd, dim), float32(math.Exp(8*rnd.NormFloat64())))
	},
	"outlier": func(rnd *rand.Rand, dim int) []float32 {
		v := normal(rnd, dim)
		v[rnd.IntN(dim)] = 1000
		return v
	},
	"same outlier": func(rnd *rand.Rand, dim int) []float32 {
		v := normal(rnd, dim)
		v[0] = 1000
		return v
	},
	"sparse": func(rnd *rand.Rand, dim int) []float32 {
		v := make([]float32, dim)
		for range 1 + dim/50 {
			v[rnd.IntN(dim)] = float32(rnd.NormFloat64())
		}
		return v
	},
	"grid": func(rnd *rand.Rand, dim int) []float32 {
		v := make([]float32, dim)
		for i := range v {
			v[i] = float32(rnd.IntN(3) - 1)
		}
		return v
	},
}

func filled(dim int, x float32) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = x
	}
	return v
}

func scaled(v []float32, by float32) []float32 {
	for i := range v {
		v[i] *= by
	}
	return v
}

// measured is how far the estimates of one set of rows are off, in units of the error that is claimed.
type measured struct {
	sum, sq float64
	n, over int
}

// measure draws rows and queries of a family under ever new rotations.
func measure(t *testing.T, make1 func(*rand.Rand, int) []float32, c Config, rotations int) measured {
	rnd := rand.New(rand.NewPCG(11, uint64(c.Dim*100+c.Bits)))
	var m measured
	const count = 8
	out := make([]float32, count)
	for seed := range rotations {
		c.Seed = uint64(seed)
		center := scaled(make1(rnd, c.Dim), 0.5)
		q := quantizer(t, c, center)
		rows := make([][]float32, count)
		for i := range rows {
			rows[i] = make1(rnd, c.Dim)
		}
		s := NewScorer(q, encodeAll(q, rows))
		query := make1(rnd, c.Dim)
		s.Bind(query)
		s.Score(idsUpTo(count), out)
		for i, row := range rows {
			want, bound := exactDistance(c.Metric, query, row), float64(s.Bound(uint32(i), 0))
			off := float64(out[i]) - want
			rounding := 1e-5 * (math.Abs(want) + norm(query)*norm(row) + dot(query, query) + dot(row, row) + dot(center, center))
			if math.Abs(off) > bound+rounding {
				m.over++
			}
			m.n++
			if bound > rounding {
				z := off / bound
				m.sum += z
				m.sq += z * z
			}
		}
	}
	return m
}

// TestEstimatesHaveNoBias, and their errors stay within the bounds as often as Sigmas says.
func TestEstimatesHaveNoBias(t *testing.T) {
	rotations := 150
	if testing.Short() {
		rotations = 30
	}
	for name, family := range families {
		for _, dim := range []int{2, 16, 100, 384, 1000} {
			t.Run(fmt.Sprintf("%s, dim %d", name, dim), func(t *testing.T) {
				var all measured
				var over []int
				for _, bits := range allBits {
					for _, metric := range []vector.Metric{vector.L2, vector.IP} {
						m := measure(t, family, Config{Dim: dim, Bits: bits, Metric: metric}, rotations)
						mean, variance := m.sum/float64(m.n), m.sq/float64(m.n)
						// rows of one rotation share a query: count them as half as many
						if deviation := math.Sqrt(2 * variance / float64(m.n)); math.Abs(mean) > max(5*deviation, 0.005) && dim > 2 {
							t.Errorf("%d bits, %s: biased by %.3f of the bound, %.1f deviations", bits, metric,
								mean, math.Abs(mean)/deviation)
						}
						over = append(over, m.over)
						all.over += m.over
						all.n += m.n
					}
				}
				if share := float64(all.over) / float64(all.n); share > OverBound && dim > 2 {
					t.Errorf("%.2f %% of %d errors exceed the bound: %v", 100*share, all.n, over)
				}
			})
		}
	}
}
