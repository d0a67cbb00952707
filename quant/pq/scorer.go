package pq

import (
	"unsafe"

	"github.com/shale-search/shale/internal/simd"
	"github.com/shale-search/shale/vector"
)

// Scorer gives the distances of codes to the query that it is bound to, by a table of the distances to all centroids. It may
// be bound again and again without allocating. It is not safe for concurrent use. It implements vector.Scorer.
type Scorer struct {
	q       *Quantizer
	codes   []byte
	table   []float32 // Subvectors × 256
	own     []float32
	base    float32 // that sums start from
	squared bool
}

// NewScorer makes a scorer of codes, which are those of q.
func NewScorer(q *Quantizer, codes []byte) *Scorer {
	return &Scorer{q: q, codes: codes, table: make([]float32, q.cfg.Subvectors*maxCentroids), own: make([]float32, q.cfg.Dim)}
}

// SquaredL2 lets distances be squared Euclidean ones between query and decoded code, whatever the metric, from the next
// binding on.
func (s *Scorer) SquaredL2(on bool) { s.squared = on }

// Query is the memory that a caller may fill with a query before BindOwn.
func (s *Scorer) Query() []float32 { return s.own }

// BindOwn binds the scorer to what Query holds, which it normalises where the metric asks for it.
func (s *Scorer) BindOwn() {
	q := s.q
	if q.cfg.Metric == vector.Cosine {
		vector.Normalize(s.own)
	}
	euclidean := q.cfg.Metric == vector.L2 || s.squared
	s.base = 1
	if euclidean {
		s.base = 0
		for _, v := range s.own {
			s.base += v * v
		}
	}
	for m := range q.cfg.Subvectors {
		centroids, norms := q.book(m)
		table := s.table[m*maxCentroids:][:len(norms)]
		products(table, s.own[m*q.width:(m+1)*q.width], centroids)
		for i, n := range norms {
			if euclidean {
				table[i] = n - 2*table[i]
			} else {
				table[i] = -table[i]
			}
		}
	}
}

// products fills out with the inner products of v and the centroids.
func products(out, v, centroids []float32) {
	if len(v) == 2 {
		for i := range out {
			out[i] = v[0]*centroids[2*i] + v[1]*centroids[2*i+1]
		}
		return
	}
	for i := range out {
		c := centroids[i*len(v) : (i+1)*len(v)]
		out[i] = 0
		for j, x := range v {
			out[i] += x * c[j]
		}
	}
}

// BindRow binds the scorer to what row id's code stands for.
func (s *Scorer) BindRow(id uint32) {
	s.q.Decode(s.codes[int(id)*s.q.Stride():], s.own)
	s.BindOwn()
}

// Prefetch implements vector.Scorer.
func (s *Scorer) Prefetch(ids []uint32) {
	simd.PrefetchRows(unsafe.Pointer(unsafe.SliceData(s.codes)), uintptr(s.q.Stride()), s.q.Stride(), ids)
}

// Score implements vector.Scorer.
func (s *Scorer) Score(ids []uint32, out []float32) {
	n := s.q.Stride()
	for i, id := range ids {
		out[i] = s.base + s.sum(s.codes[int(id)*n:int(id)*n+n])
	}
}

// sum adds up a code's look-ups, four at a time: each sum waits for its last addition only.
func (s *Scorer) sum(code []byte) float32 {
	var a, b, c, d float32
	t := s.table
	for len(code) >= 4 {
		row := t[:4*maxCentroids]
		a += row[code[0]]
		b += row[maxCentroids+int(code[1])]
		c += row[2*maxCentroids+int(code[2])]
		d += row[3*maxCentroids+int(code[3])]
		code, t = code[4:], t[4*maxCentroids:]
	}
	for _, v := range code {
		a += t[v]
		t = t[maxCentroids:]
	}
	return a + b + c + d
}
