package quant

import (
	"math"

	"github.com/shale-search/shale/vector"
)

// Encoder encodes and decodes rows. It reuses its memory and isn't safe for concurrent use.
type Encoder struct {
	q        *Quantizer
	residual []float32
	codes    []uint8 // of the best scale so far
	trial    []uint8
	row      []byte
	rounding float64 // variance that rounding queries adds, as a share of their squared length
}

// NewEncoder returns an encoder.
func (q *Quantizer) NewEncoder() *Encoder {
	d := q.cfg.Dim
	return &Encoder{
		q: q, residual: make([]float32, d), codes: make([]uint8, d), trial: make([]uint8, d),
		row: make([]byte, q.layout.size), rounding: q.roundingError(),
	}
}

// roundingError returns the variance that comes from rounding a query to multiples of 1/127 of its largest value, as a
// share of the query's squared length. After a rotation the largest of d values is about √(2 ln d) standard deviations;
// without a rotation it may be any value.
func (q *Quantizer) roundingError() float64 {
	d := float64(q.cfg.Dim)
	peak := min(2*math.Log(d+1)+1, d)
	if q.rotation == nil {
		peak = d
	}
	step := 1.0 / 127
	if q.cfg.Bits == 8 {
		step /= 254
	}
	return peak * step * step / 12
}

// gaussianStep is the best step of a uniform quantizer with 2^b values for the normal distribution, in standard
// deviations (Max, 1960). A rotation makes residuals about normal.
var gaussianStep = [9]float64{2: 0.9957, 3: 0.5860, 4: 0.3352, 8: 0.0308}

// stretches are the multiples of the expected step that round tries for each row.
var stretches = [...]float64{0.8, 0.9, 1, 1.12, 1.25}

// shares are the fractions of the largest value that the grid may span if the distribution of values is unknown.
var shares = [...]float64{1, 0.85, 0.7, 0.55, 0.4, 0.28}

// Encode writes the code of vec to row, Stride bytes long. If vec isn't finite the code is useless.
func (e *Encoder) Encode(row []byte, vec []float32) {
	q, r := e.q, e.residual
	copy(r, vec)
	along := e.alongCenter(r)
	q.toResidual(r)
	length := norm(r)
	grid, cos := e.choose(length)
	f := factors{add: float32(length * length)}
	if q.cfg.Metric != vector.L2 {
		f.add = float32(-along)
	}
	if length > 0 && cos > 0 {
		f.mul = float32(length / grid / cos)
		d := float64(q.cfg.Dim)
		widen := 1 + 8/d // a rotation of few dimensions is less random than the theory assumes
		f.err = float32(widen * length / cos * math.Sqrt((max(1-cos*cos, 0)+e.rounding)/max(d-1, 1)))
	}
	clear(e.row)
	q.pack(e.row, e.codes)
	q.layout.putFactors(e.row, f)
	store(row, e.row)
}

// Encodable reports whether vec is finite and short enough for its code's factors to be finite, with any center that is
// as short.
func Encodable(vec []float32) bool {
	return dot(vec, vec) <= maxSquare // NaN isn't
}

const maxSquare = math.MaxFloat32 / 8

// MaxLength returns the largest length of vectors that have codes.
var MaxLength = math.Sqrt(maxSquare)

// store copies a finished code to its place. Codes may be rewritten while kernels read them; the index's epoch makes
// such readers read again. The directive keeps the race detector, which sees only the plain Go kernels, from reporting
// that.
//
//go:norace
func store(row, code []byte) { copy(row, code) }

// alongCenter returns the inner product of the center and vec − center.
func (e *Encoder) alongCenter(vec []float32) float64 {
	return dot(e.q.center, vec) - e.q.centerSq
}

// choose fills codes with the codes whose grid vector is closest in direction to the residual. It returns the length of
// the grid vector and its cosine to the residual.
func (e *Encoder) choose(length float64) (grid, cos float64) {
	if length == 0 || math.IsInf(length, 0) || length != length {
		clear(e.codes)
		return 0, 0
	}
	if e.q.cfg.Bits == 1 {
		return e.round(e.codes, 2*float64(largest(e.residual)), length) // only signs
	}
	try := func(step float64) {
		if step == 0 || math.IsInf(1/step, 0) {
			return
		}
		if g, c := e.round(e.trial, step, length); c > cos {
			grid, cos = g, c
			e.codes, e.trial = e.trial, e.codes
		}
	}
	if e.q.rotation != nil && e.q.cfg.Dim >= 16 {
		step := gaussianStep[e.q.cfg.Bits] * length / math.Sqrt(float64(e.q.cfg.Dim))
		for _, s := range stretches {
			try(step * s)
		}
	} else {
		step := 2 * float64(largest(e.residual)) / float64(e.q.levels())
		for _, s := range shares {
			try(step * s)
		}
	}
	if cos == 0 {
		clear(e.codes)
	}
	return grid, cos
}

// round writes the codes of the residual on a grid of the given step. It returns the length of the grid vector and its
// cosine to the residual.
func (e *Encoder) round(codes []uint8, step, length float64) (grid, cos float64) {
	top, inv, middle := float32(e.q.levels()-1), float32(1/step), e.q.middle()
	codes = codes[:len(e.residual)]
	var sq, along float32
	for i, v := range e.residual {
		u := min(max(v*inv+middle+0.5, 0), top) // truncated: nearest grid value
		c := uint8(u)
		codes[i] = c
		g := float32(c) - middle
		sq += g * g
		along += g * v
	}
	grid = math.Sqrt(float64(sq))
	return grid, min(float64(along)/grid/length, 1)
}

// largest returns the largest absolute value. Without their signs floats are ordered like integers, which compare
// faster.
func largest(v []float32) float32 {
	var a, b uint32
	for len(v) >= 2 {
		a = max(a, math.Float32bits(v[0])&math.MaxInt32)
		b = max(b, math.Float32bits(v[1])&math.MaxInt32)
		v = v[2:]
	}
	for _, x := range v {
		a = max(a, math.Float32bits(x)&math.MaxInt32)
	}
	return math.Float32frombits(max(a, b))
}

// pack writes one code per dimension into a cleared row.
func (q *Quantizer) pack(row []byte, codes []uint8) {
	l := &q.layout
	mask := uint8(1)<<l.low.bits - 1
	l.low.each(q.cfg.Dim, func(at int, shift uint, _, d int) { row[at] |= codes[d] & mask << shift })
	if l.high.bits != 0 {
		l.high.each(q.cfg.Dim, func(at int, shift uint, _, d int) { row[at] |= codes[d] >> 2 << shift })
	}
}

// unpack reads one code per dimension from a row.
func (q *Quantizer) unpack(codes []uint8, row []byte) {
	clear(codes)
	l := &q.layout
	l.low.unpack(codes, row, 0)
	if l.high.bits != 0 {
		l.high.unpack(codes, row, 2)
	}
}

// Decode writes the vector that row stands for to vec, which has Dim values.
func (e *Encoder) Decode(vec []float32, row []byte) {
	q := e.q
	e.decodeResidual(vec, row)
	if q.rotation != nil {
		q.rotation.invert(vec)
	}
	for i, c := range q.center {
		vec[i] += c
	}
}

// decodeResidual writes the rotated residual that row stands for, and returns its factors.
func (e *Encoder) decodeResidual(vec []float32, row []byte) factors {
	q := e.q
	f, middle := q.layout.getFactors(row), q.middle()
	q.unpack(e.codes, row)
	for i, c := range e.codes {
		vec[i] = (float32(c) - middle) * f.mul
	}
	return f
}
