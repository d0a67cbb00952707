package pq

import (
	"math"
	"unsafe"

	"github.com/shale-search/shale/internal/simd"
	"github.com/shale-search/shale/vector"
)

// Scorer gives the distances of codes to the query that it is bound to, by a table of the distances to all centroids,
// rounded to bytes (André, Kermarrec & Le Scouarnec, PVLDB 2015): a quarter of the memory to look up in, and sums of
// integers. What rounding adds is small beside what codes leave out, and Bound counts it. It may be bound again and
// again without allocating. It is not safe for concurrent use. It implements score.Scorer.
//
// A cosine's estimate is half the squared distance of query and code, which for rows of length 1 is 1 − the inner
// product of query and row: codes are shorter than rows, and by how much tells what an inner product with one lacks. On
// MiniLM-384 it finds 0.946 of the ten nearest where 1 − the inner product with the code finds 0.942.
type Scorer struct {
	q         *Quantizer
	codes     []byte
	base      unsafe.Pointer
	kernel    simd.LookUpBatch
	query     simd.LookUp
	exact     []float32 // Subvectors × row: the table before it is rounded
	table     []uint8
	low, high []float32 // of each row of exact
	own       []float32
	rotated   []float32 // own as codes see it
	scaled    []float32 // rotated, times what the table asks for
	length    float32   // of the query
	start     float32   // that sums of exact begin with
	squared   bool
	order     []uint32 // places of codes; nil: their ids
	places    []uint32 // of the codes asked for, where there is an order
}

// NewScorer makes a scorer of codes, which are those of q.
func NewScorer(q *Quantizer, codes []byte) *Scorer {
	s := &Scorer{}
	s.Reset(q, codes)
	return s
}

// Reset makes s a scorer of other codes.
func (s *Scorer) Reset(q *Quantizer, codes []byte) {
	s.codes, s.base = codes, unsafe.Pointer(unsafe.SliceData(codes))
	if s.q == q {
		return
	}
	c := &q.cfg
	s.q, s.exact = q, make([]float32, c.Subvectors*q.row)
	s.low, s.high = make([]float32, c.Subvectors), make([]float32, c.Subvectors)
	s.own, s.rotated, s.scaled = make([]float32, c.Dim), make([]float32, c.Dim), make([]float32, c.Dim)
	size := c.Subvectors * 256
	if c.Bits == 4 {
		size = (q.Stride() + simd.LookUpBlock - 1) / simd.LookUpBlock * simd.LookUpBlockTable
	}
	s.table = alignedBytes(size)
	s.kernel = simd.Active.LookUps[c.Bits]
	s.query = simd.LookUp{Table: &s.table[0], Bytes: q.Stride()}
}

// alignedBytes makes a slice that starts on a cache line.
func alignedBytes(n int) []uint8 {
	const line = 64
	b := make([]uint8, n+line)
	skip := int(-uintptr(unsafe.Pointer(&b[0])) % line)
	return b[skip : skip+n : skip+n]
}

// SquaredL2 lets distances be squared Euclidean ones between query and decoded code, whatever the metric, from the next
// binding on.
func (s *Scorer) SquaredL2(on bool) { s.squared = on }

// Order lets the code of id i be the order[i]-th; nil: the i-th.
func (s *Scorer) Order(order []uint32) { s.order = order }

// at gives the places of codes.
func (s *Scorer) at(ids []uint32) []uint32 {
	if s.order == nil {
		return ids
	}
	s.places = s.places[:0]
	for _, id := range ids {
		s.places = append(s.places, s.order[id])
	}
	return s.places
}

// Query is the memory that a caller may fill with a query before BindOwn.
func (s *Scorer) Query() []float32 { return s.own }

// BindOwn binds the scorer to what Query holds.
func (s *Scorer) BindOwn() { s.Bind(s.own) }

// Bind binds the scorer to a query of Dim values, which is normalised where the metric is cosine.
func (s *Scorer) Bind(query []float32) {
	if s.q.rotation == nil {
		copy(s.rotated, query)
	} else {
		rotate(s.rotated, s.q.rotation, query)
	}
	s.prepare()
}

// BindRow binds the scorer to what row id's code stands for.
func (s *Scorer) BindRow(id uint32) {
	n := s.q.Stride()
	if s.order != nil {
		id = s.order[id]
	}
	s.q.decodeRotated(s.codes[int(id)*n:int(id)*n+n], s.rotated)
	s.prepare()
}

// euclidean reports whether distances are squared Euclidean ones.
func (s *Scorer) euclidean() bool { return s.squared || s.q.cfg.Metric == vector.L2 }

// prepare makes the table for the rotated query.
func (s *Scorer) prepare() {
	square := simd.Active.DotF32(unsafe.Pointer(&s.rotated[0]), unsafe.Pointer(&s.rotated[0]), len(s.rotated))
	s.length = float32(math.Sqrt(float64(square)))
	var init []float32
	var factor, base float32
	switch {
	case s.euclidean():
		init, factor, base = s.q.norms, -2, square
	case s.q.cfg.Metric == vector.Cosine:
		init, factor, base = s.q.halves, -1, square/2
	default:
		init, factor, base = s.q.zeros, -1, 1
	}
	for i, v := range s.rotated {
		s.scaled[i] = factor * v
	}
	if s.q.cfg.Bits == 4 {
		s.halves(init)
	} else {
		s.bytes(init)
	}
	s.start = base
	for _, l := range s.low {
		base += l
	}
	s.query.Base, s.query.Asked = base, 0
}

// bytes fills the table of codes of 8 bits.
func (s *Scorer) bytes(init []float32) {
	q, k := s.q, simd.Active
	k.Tables(&s.exact[0], &init[0], &q.columns[0], &s.scaled[0], q.cfg.Subvectors, q.width)
	k.Ranges(&s.low[0], &s.high[0], &s.exact[0], q.cfg.Subvectors)
	k.TableBytes(&s.table[0], &s.exact[0], &s.low[0], q.cfg.Subvectors, s.step())
}

// step sets the step that bytes count by, such that the widest row of the table fits, and gives its inverse.
func (s *Scorer) step() float32 {
	widest := float32(0)
	for m, h := range s.high {
		widest = max(widest, h-s.low[m])
	}
	s.query.Step = widest / 255
	inv := 255 / widest
	if !(widest > 0) || math.IsInf(float64(inv), 0) {
		s.query.Step, inv = 0, 0
	}
	return inv
}

// halves fills the table of codes of 4 bits.
func (s *Scorer) halves(init []float32) {
	q := s.q
	for m := range s.low {
		row := s.exact[m*16:][:16]
		copy(row, init[m*16:])
		for j, x := range s.scaled[m*q.width:][:q.width] {
			for c, y := range q.columns[(m*q.width+j)*16:][:16] {
				row[c] += x * y
			}
		}
		least, most := row[0], row[0]
		for _, v := range row {
			least, most = min(least, v), max(most, v)
		}
		s.low[m], s.high[m] = least, most
	}
	inv := s.step()
	for m, l := range s.low {
		to := s.table[simd.LookUpAt(m/2)+m%2*64:][:16]
		for c, v := range s.exact[m*16:][:16] {
			to[c] = uint8(min((v-l)*inv+0.5, 255))
		}
	}
}

// Prefetch implements score.Scorer.
func (s *Scorer) Prefetch(ids []uint32) {
	s.query.Asked = 1
	simd.PrefetchRows(s.base, uintptr(s.query.Bytes), s.query.Bytes, s.at(ids))
}

// Score implements score.Scorer.
func (s *Scorer) Score(ids []uint32, out []float32) {
	if len(ids) == 0 {
		return
	}
	s.kernel(&s.query, s.base, uintptr(s.query.Bytes), s.at(ids), out)
	s.query.Asked = 0
}

// Exact is the distance that Score would give of an id if the table weren't rounded; at least 0 where it is a squared
// Euclidean one.
func (s *Scorer) Exact(id uint32) float32 {
	if s.order != nil {
		id = s.order[id]
	}
	n, sum := s.q.Stride(), s.start
	code := s.codes[int(id)*n:][:n]
	for m := range s.q.cfg.Subvectors {
		sum += s.exact[m*s.q.row+s.q.centroid(code, m)]
	}
	if s.euclidean() {
		return max(sum, 0)
	}
	return sum
}

// Bound is how far an estimate may be off, by what training found and by the rounding of the table. A quantizer whose
// errors are unknown gives +Inf.
func (s *Scorer) Bound(_ uint32, estimate float32) float32 {
	e := s.q.errors
	off := e.Length * s.length
	if s.euclidean() {
		off = e.Length * 2 * float32(math.Sqrt(float64(max(estimate, 0)+e.Distortion)))
	}
	if e.Length == 0 {
		return float32(math.Inf(1))
	}
	return off + sigmas*s.query.Step*float32(math.Sqrt(float64(s.q.cfg.Subvectors)/12))
}
