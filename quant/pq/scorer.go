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
	scaled  []float32 // own, times what the table asks for
	base    float32   // that sums start from
	squared bool
}

// NewScorer makes a scorer of codes, which are those of q.
func NewScorer(q *Quantizer, codes []byte) *Scorer {
	s := &Scorer{}
	s.Reset(q, codes)
	return s
}

// Reset makes s a scorer of other codes.
func (s *Scorer) Reset(q *Quantizer, codes []byte) {
	s.codes = codes
	if s.q == q {
		return
	}
	s.q, s.table = q, make([]float32, q.cfg.Subvectors*maxCentroids)
	s.own, s.scaled = make([]float32, q.cfg.Dim), make([]float32, q.cfg.Dim)
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
	init, factor := q.zeros, float32(-1)
	s.base = 1
	if q.cfg.Metric == vector.L2 || s.squared {
		init, factor = q.norms, -2
		s.base = 0
	}
	for i, v := range s.own {
		s.scaled[i] = factor * v
		if factor == -2 {
			s.base += v * v
		}
	}
	simd.Active.Tables(&s.table[0], &init[0], &q.columns[0], &s.scaled[0], q.cfg.Subvectors, q.width)
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
