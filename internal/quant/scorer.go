package quant

import (
	"math"
	"unsafe"

	"github.com/shale-search/shale/internal/simd"
	"github.com/shale-search/shale/vector"
)

const (
	// Sigmas is the number of standard errors in Bound.
	Sigmas = 3.2
	// OverBound is the share of estimates whose error may exceed Bound.
	OverBound = 0.005
)

// Scorer estimates the distances of rows of codes to a query. It can be bound to one query after another without
// allocating. It isn't safe for concurrent use.
type Scorer struct {
	q       *Quantizer
	base    unsafe.Pointer
	codes   []byte
	kernel  simd.CodeBatch
	query   simd.CodeQuery
	fine    simd.CodeQuery // of 8-bit codes: the remainder of the rounded query
	values  []int8
	rest    []int8
	rotated []float32
	own     []float32
	length  float32 // of the rotated query
	sum     []float32
	enc     *Encoder
}

// NewScorer returns a scorer of the rows in codes, which is Bytes long.
func NewScorer(q *Quantizer, codes []byte) *Scorer {
	s := &Scorer{}
	s.Reset(q, codes)
	return s
}

// Reset makes s a scorer of other rows.
func (s *Scorer) Reset(q *Quantizer, codes []byte) {
	s.base, s.codes = unsafe.Pointer(unsafe.SliceData(codes)), codes
	if s.q == q {
		return
	}
	s.q, s.enc = q, q.NewEncoder()
	l := &q.layout
	low := l.low.blocks() * l.low.perByte() * blockBytes
	all := low
	if l.high.bits != 0 {
		all += l.high.blocks() * l.high.perByte() * blockBytes
	}
	s.values = alignedInt8(all)
	s.kernel = simd.Active.Codes[q.cfg.Bits]
	s.query = simd.CodeQuery{Values: &s.values[0], Blocks: l.low.blocks(), Factors: l.factors, Add: 1}
	if w := l.low.bytes % blockBytes; w > 0 && w <= blockBytes/2 {
		s.query.Half = 1
	}
	if l.high.bits != 0 {
		s.query.High, s.query.HighBlocks, s.query.HighValues = l.high.at, l.high.blocks(), &s.values[low]
	}
	if q.cfg.Bits == 8 {
		s.rest = alignedInt8(all)
		s.fine = s.query
		s.fine.Values, s.fine.Add, s.fine.Asked = &s.rest[0], 0, 1
	}
	s.rotated, s.own = make([]float32, q.cfg.Dim), make([]float32, q.cfg.Dim)
}

// alignedInt8 returns a slice that starts on a cache line.
func alignedInt8(n int) []int8 {
	b := make([]int8, n+blockBytes)
	skip := int(-uintptr(unsafe.Pointer(&b[0])) % blockBytes)
	return b[skip : skip+n : skip+n]
}

// Query returns the memory for a query that the caller fills before BindOwn.
func (s *Scorer) Query() []float32 { return s.own }

// BindOwn binds the scorer to the vector in Query, which it normalises if the metric is cosine.
func (s *Scorer) BindOwn() { s.Bind(s.own) }

// Bind binds the scorer to a query of Dim values.
func (s *Scorer) Bind(query []float32) {
	q := s.q
	copy(s.rotated, query)
	gamma := 1 - dot32(query, q.center)
	q.toResidual(s.rotated)
	length := norm32(s.rotated)
	if q.cfg.Metric == vector.L2 {
		gamma = length * length
	}
	s.prepare(gamma, length)
}

// BindRow binds the scorer to the vector that row id's code stands for.
func (s *Scorer) BindRow(id uint32) {
	f := s.enc.decodeResidual(s.rotated, s.row(id))
	gamma := f.add
	if s.q.cfg.Metric != vector.L2 {
		gamma += 1 - float32(s.q.centerSq)
	}
	s.prepare(gamma, norm32(s.rotated))
}

func (s *Scorer) row(id uint32) []byte {
	at := int(id) * s.q.layout.stride
	return s.codes[at : at+s.q.layout.size]
}

// prepare rounds the rotated query to signed bytes.
func (s *Scorer) prepare(gamma, length float32) {
	s.length = length
	step := largest(s.rotated) / 127
	s.fill(&s.query, s.values, step, gamma)
	if s.rest != nil {
		s.fill(&s.fine, s.rest, step/254, 0)
	}
}

// fill rounds the values in rotated to multiples of step, leaves the differences there, and sets the query's factors.
func (s *Scorer) fill(to *simd.CodeQuery, values []int8, step, gamma float32) {
	l, inv := &s.q.layout, float32(0)
	if step > 0 {
		inv = 1 / step
	}
	if math.IsInf(float64(inv), 0) {
		step, inv = 0, 0
	}
	sum := s.round(values, l.low, step, inv)
	if l.high.bits != 0 {
		s.copyHigh(values)
	}
	scale := s.q.cfg.scale() * step
	to.Alpha, to.Beta, to.Gamma = -scale, scale*s.q.middle()*float32(sum), gamma
}

// round is the part of fill that touches every dimension. It returns the sum of the values.
func (s *Scorer) round(values []int8, p part, step, inv float32) int {
	sum, d := 0, 0
	for block := range p.blocks() {
		w := min(blockBytes, p.bytes-block*blockBytes)
		for k := range p.perByte() {
			if d >= len(s.rotated) {
				break
			}
			n := min(w, len(s.rotated)-d)
			sum += simd.Active.Round(&values[(block*p.perByte()+k)*blockBytes], &s.rotated[d], n, inv, step)
			d += w
		}
	}
	return sum
}

// copyHigh arranges the values again for the third bits of 3-bit codes.
func (s *Scorer) copyHigh(values []int8) {
	l := &s.q.layout
	flat := s.enc.trial
	l.low.each(s.q.cfg.Dim, func(_ int, _ uint, slot, d int) { flat[d] = uint8(values[slot]) })
	high := values[l.low.blocks()*l.low.perByte()*blockBytes:]
	l.high.each(s.q.cfg.Dim, func(_ int, _ uint, slot, d int) { high[slot] = int8(flat[d]) })
}

// Score writes the estimated distances of ids to out.
func (s *Scorer) Score(ids []uint32, out []float32) {
	if len(ids) == 0 {
		return
	}
	stride := uintptr(s.q.layout.stride)
	s.kernel(&s.query, s.base, stride, ids, out)
	s.query.Asked = 0
	if s.rest == nil {
		return
	}
	if cap(s.sum) < len(ids) {
		s.sum = make([]float32, len(ids))
	}
	s.kernel(&s.fine, s.base, stride, ids, s.sum[:len(ids)])
	for i, v := range s.sum[:len(ids)] {
		out[i] += v
	}
}

// Prefetch prefetches the codes of ids for the next Score.
func (s *Scorer) Prefetch(ids []uint32) {
	s.query.Asked = 1
	simd.PrefetchRows(s.base, uintptr(s.q.layout.stride), s.q.layout.factors+8, ids)
}

// Bound returns a bound on the error of the estimate for row id: Sigmas standard errors, independent of the estimate.
func (s *Scorer) Bound(id uint32, _ float32) float32 {
	at := int(id)*s.q.layout.stride + s.q.layout.factors + 8
	e := *(*float32)(unsafe.Pointer(&s.codes[at]))
	return Sigmas * s.q.cfg.scale() * s.length * e
}
