package quant

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/internal/simd"
	"github.com/shale-search/shale/vector"
)

// Quantizer makes codes. It doesn't change after training, so any number of goroutines may use it.
type Quantizer struct {
	cfg      Config
	layout   layout
	center   []float32
	centerSq float64
	rotation *rotation // nil: none
}

// Train returns a quantizer whose center is the mean of the sample.
func Train(c Config, sample vector.Matrix) (*Quantizer, error) {
	if sample.Rows() > 0 && sample.Dim() != c.Dim {
		return nil, fmt.Errorf("%w: a sample of %d dimensions for codes of %d", vector.ErrDim, sample.Dim(), c.Dim)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	sum, row := make([]float64, c.Dim), make([]float32, c.Dim)
	for i := range sample.Rows() {
		sample.Decode(i, row)
		for j, v := range row {
			sum[j] += float64(v)
		}
	}
	center := make([]float32, c.Dim)
	for j, s := range sum {
		center[j] = float32(s / float64(max(sample.Rows(), 1)))
	}
	return New(c, center)
}

// New returns a quantizer with the given center, as Center returned it.
func New(c Config, center []float32) (*Quantizer, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if len(center) != c.Dim {
		return nil, fmt.Errorf("%w: a center of %d dimensions for codes of %d", vector.ErrDim, len(center), c.Dim)
	}
	if !floats.Finite(center) {
		return nil, fmt.Errorf("quant: the center holds NaN or infinity")
	}
	q := &Quantizer{cfg: c, layout: layoutOf(c.Dim, c.Bits), center: append([]float32(nil), center...)}
	for _, v := range center {
		q.centerSq += float64(v) * float64(v)
	}
	if c.Kind == RaBitQ {
		q.rotation = newRotation(c.Dim, c.Seed)
	}
	return q, nil
}

// Config returns the configuration.
func (q *Quantizer) Config() Config { return q.cfg }

// Center returns the point that codes are relative to. Callers must not change it.
func (q *Quantizer) Center() []float32 { return q.center }

// Stride returns the number of bytes from one row of codes to the next.
func (q *Quantizer) Stride() int { return q.layout.stride }

// Bytes returns the size of an array of the given number of rows. A kernel may read past the last row.
func (q *Quantizer) Bytes(rows int) int {
	return Bytes(q.cfg.Dim, q.cfg.Bits, rows)
}

// Bytes returns the size of an array of the given number of rows.
func Bytes(dim, bits, rows int) int {
	if rows == 0 {
		return 0
	}
	l := layoutOf(dim, bits)
	return (rows-1)*l.stride + l.slack()
}

// Stride returns the number of bytes from one row of codes to the next.
func Stride(dim, bits int) int {
	l := layoutOf(dim, bits)
	return l.stride
}

// levels returns the number of grid values per dimension. middle returns the code of zero: grid value = code − middle.
func (q *Quantizer) levels() int     { return 1 << q.cfg.Bits }
func (q *Quantizer) middle() float32 { return float32(q.levels()-1) / 2 }

// toResidual subtracts the center from v and rotates it, in place.
func (q *Quantizer) toResidual(v []float32) {
	for i, c := range q.center {
		v[i] -= c
	}
	if q.rotation != nil {
		q.rotation.apply(v)
	}
}

func dot(a, b []float32) float64 {
	var s float64
	for i, x := range a {
		s += float64(x) * float64(b[i])
	}
	return s
}

func norm(v []float32) float64 { return math.Sqrt(dot(v, v)) }

// dot32 and norm32 compute in single precision, for queries.
func dot32(a, b []float32) float32 {
	return simd.Active.DotF32(unsafe.Pointer(&a[0]), unsafe.Pointer(&b[0]), len(a))
}

func norm32(v []float32) float32 { return float32(math.Sqrt(float64(dot32(v, v)))) }
