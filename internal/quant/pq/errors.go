package pq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/vector"
)

const (
	// errorParams is the number of values of Errors in Params.
	errorParams = 2
	// sigmas is the number of standard errors of rounding a table in Bound, as in package quant.
	sigmas = 3.2
	// overBound is the share of estimates whose error may exceed the bound.
	overBound = 0.005

	errorRows    = 2048 // of a sample
	errorQueries = 128
	errorNear    = 32 // of each query, the nearest rows by which errors are measured once more
)

// Errors describes the errors of estimates, as measured on rows. Errors of inner products grow with the query's length,
// those of squared distances with the distance. The zero value means that nothing is known.
type Errors struct {
	// Length is the error that 199 of 200 estimates keep within: of a cosine or of an inner product with a query of length
	// 1, and of half a squared distance over the root of it and Distortion.
	Length     float32
	Distortion float32 // the mean squared distance of a row from what its code stands for
}

func (e Errors) check() error {
	if !(e.Length >= 0 && e.Length <= math.MaxFloat32) || !(e.Distortion >= 0 && e.Distortion <= math.MaxFloat32) {
		return fmt.Errorf("pq: errors of %v and %v are impossible", e.Length, e.Distortion)
	}
	return nil
}

// Errors returns what is known about the errors of estimates.
func (q *Quantizer) Errors() Errors { return q.errors }

// WithErrors returns a quantizer of the same codes with the errors of estimates for a sample of rows. Most of these
// should be rows that it wasn't trained on.
func (q *Quantizer) WithErrors(ctx context.Context, rows vector.Matrix) (*Quantizer, error) {
	m, err := newMeasure(ctx, q, rows)
	if err != nil {
		return nil, err
	}
	n := *q
	if n.errors, err = m.errors(); err != nil {
		return nil, err
	}
	return &n, nil
}

// measure compares estimates with distances, using some of the rows as queries.
type measure struct {
	q       *Quantizer
	rows    vector.Matrix // normalised where the metric asks for it
	decoded vector.Matrix
	asked   int // rows that are queries as well
}

func newMeasure(ctx context.Context, q *Quantizer, rows vector.Matrix) (*measure, error) {
	n, dim := min(rows.Rows(), errorRows), q.cfg.Dim
	if n == 0 || rows.Dim() != dim {
		return nil, fmt.Errorf("%w: %d rows of %d values to measure codes of %d by", vector.ErrDim,
			rows.Rows(), rows.Dim(), dim)
	}
	data, decoded := make([]float32, n*dim), make([]float32, n*dim)
	for i := range n {
		row := data[i*dim : (i+1)*dim]
		rows.Decode(int(int64(i)*int64(rows.Rows())/int64(n)), row)
		if q.cfg.Metric == vector.Cosine {
			vector.Normalize(row)
		}
	}
	if !floats.Finite(data) {
		return nil, errors.New("pq: a row holds NaN or infinity")
	}
	m := &measure{q: q, asked: min(n, errorQueries)}
	var err error
	if m.rows, err = vector.Of(data, dim); err != nil {
		return nil, err
	}
	codes := make([]byte, q.Bytes(n))
	if err := q.Encode(ctx, m.rows, 0, codes); err != nil {
		return nil, err
	}
	for i := range n {
		q.Decode(codes[q.Bytes(i):q.Bytes(i+1)], decoded[i*dim:(i+1)*dim])
	}
	m.decoded, err = vector.Of(decoded, dim)
	return m, err
}

// pair is the distance of a row and the error of its estimate, in the units of Errors.
type pair struct{ distance, off float32 }

// errors returns the larger of the errors of all rows and of near ones.
func (m *measure) errors() (Errors, error) {
	e := Errors{Distortion: float32(m.distortion())}
	truth, err := score.New(m.rows, m.q.cfg.Metric, nil)
	if err != nil {
		return e, err
	}
	metric := m.q.cfg.Metric
	if metric == vector.Cosine {
		metric = vector.L2 // half of which Scorer gives
	}
	estimates, err := score.New(m.decoded, metric, nil)
	if err != nil {
		return e, err
	}
	n := m.rows.Rows()
	ids, exact, near := make([]uint32, n), make([]float32, n), make([]float32, n)
	for i := range ids {
		ids[i] = uint32(i)
	}
	var all, nearest []float32
	pairs := make([]pair, 0, n)
	for i := range m.asked {
		at := uint32(i * n / m.asked)
		truth.BindRow(at)
		m.rows.Decode(int(at), estimates.Query())
		estimates.BindOwn()
		truth.Score(ids, exact)
		estimates.Score(ids, near)
		if m.q.cfg.Metric == vector.Cosine {
			for j := range near {
				near[j] /= 2
			}
		}
		unit := float32(length(estimates.Query()))
		pairs = pairs[:0]
		for j := range ids {
			if uint32(j) != at {
				pairs = append(pairs, pair{exact[j], m.off(exact[j], near[j], unit, e.Distortion)})
			}
		}
		slices.SortFunc(pairs, func(a, b pair) int { return cmp.Compare(a.distance, b.distance) })
		for j, p := range pairs {
			all = append(all, p.off)
			if j < errorNear {
				nearest = append(nearest, p.off)
			}
		}
	}
	e.Length = max(mostOf(all), mostOf(nearest), math.SmallestNonzeroFloat32)
	return e, nil
}

// off returns the error of an estimate as a multiple of what Bound multiplies by.
func (m *measure) off(exact, estimate, unit, distortion float32) float32 {
	off := float32(math.Abs(float64(exact - estimate)))
	scale := unit
	if m.q.cfg.Metric == vector.L2 {
		scale = 2 * float32(math.Sqrt(float64(max(estimate, 0)+distortion)))
	}
	if scale == 0 {
		return 0
	}
	return min(off/scale, math.MaxFloat32)
}

// mostOf returns the value that all but overBound of v are at most.
func mostOf(v []float32) float32 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return v[min(len(v)-1, int(math.Ceil(float64(len(v))*(1-overBound))))]
}

func (m *measure) distortion() float64 {
	dim, sum := m.q.cfg.Dim, 0.0
	row, decoded := make([]float32, dim), make([]float32, dim)
	for i := range m.rows.Rows() {
		m.rows.Decode(i, row)
		m.decoded.Decode(i, decoded)
		for j, v := range row {
			d := float64(v) - float64(decoded[j])
			sum += d * d
		}
	}
	return min(sum/float64(m.rows.Rows()), math.MaxFloat32)
}

func length(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}
