// Package score computes distances between a query and many rows in one call.
package score

import (
	"fmt"
	"unsafe"

	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/simd"
	"github.com/shale-search/shale/vector"
)

// Scorer computes distances between the query that it is bound to and rows given by their ids.
type Scorer interface {
	// Score writes the distances of ids to out, which is at least as long.
	Score(ids []uint32, out []float32)
	// Prefetch prefetches what Score will read for ids.
	Prefetch(ids []uint32)
}

// Rows is a Scorer of the rows of a matrix. It can be bound to one query after another without allocating. It isn't
// safe for concurrent use.
type Rows struct {
	batch  simd.Batch
	custom DistanceFunc
	rows   vector.Matrix
	base   unsafe.Pointer // the first row
	stride uintptr
	size   int            // bytes of a row
	query  unsafe.Pointer // dim float32 values
	own    []float32      // a query that can't be read in place
	other  []float32      // a decoded row, for custom metrics
}

// New returns a scorer of rows, which must be float32, float16 or ScaledInt8. If custom isn't nil it replaces the
// metric.
func New(rows vector.Matrix, metric vector.Metric, custom DistanceFunc) (*Rows, error) {
	s := &Rows{}
	if err := s.Reset(rows, metric, custom); err != nil {
		return nil, err
	}
	return s, nil
}

// Reset makes s a scorer of other rows.
func (s *Rows) Reset(rows vector.Matrix, metric vector.Metric, custom DistanceFunc) error {
	k, typ := simd.Active, rows.Type()
	switch {
	case typ == vector.Float32 && metric == vector.L2:
		s.batch = k.BatchL2F32
	case typ == vector.Float32:
		s.batch = k.BatchIPF32
	case typ == vector.Float16 && metric == vector.L2:
		s.batch = k.BatchL2F16
	case typ == vector.Float16:
		s.batch = k.BatchIPF16
	case typ == rowtype.ScaledInt8 && metric == vector.L2:
		s.batch = k.BatchL2SQ8
	case typ == rowtype.ScaledInt8:
		s.batch = k.BatchIPSQ8
	default:
		return fmt.Errorf("rows of %s can't be scored by a float query", typ)
	}
	dim := rows.Dim()
	s.custom, s.rows, s.query, s.base = custom, rows, nil, nil
	s.stride, s.size = uintptr(rows.Stride()), rowtype.Size(typ, dim)
	if rows.Rows() > 0 {
		s.base = unsafe.Pointer(unsafe.SliceData(rows.RowBytes(0)))
	}
	if cap(s.own) < dim {
		s.own, s.other = make([]float32, dim), make([]float32, dim)
	}
	s.own, s.other = s.own[:dim], s.other[:dim]
	return nil
}

// Query returns the memory for a query that the caller fills before BindOwn.
func (s *Rows) Query() []float32 { return s.own }

// BindOwn binds the scorer to the vector in Query.
func (s *Rows) BindOwn() { s.query = unsafe.Pointer(unsafe.SliceData(s.own)) }

// BindRow binds the scorer to row id as the query.
func (s *Rows) BindRow(id uint32) {
	if s.rows.Type() == vector.Float32 {
		s.query = unsafe.Add(s.base, uintptr(id)*s.stride)
		return
	}
	s.rows.Decode(int(id), s.own)
	s.BindOwn()
}

// Prefetch implements Scorer.
func (s *Rows) Prefetch(ids []uint32) { simd.PrefetchRows(s.base, s.stride, s.size, ids) }

// Score implements Scorer.
func (s *Rows) Score(ids []uint32, out []float32) {
	if s.custom == nil {
		s.batch(s.query, s.base, s.stride, len(s.own), ids, out)
		return
	}
	q := unsafe.Slice((*float32)(s.query), len(s.own))
	for i, id := range ids {
		s.rows.Decode(int(id), s.other)
		out[i] = s.custom(q, s.other)
	}
}

// Custom is the metric of an index whose distances a DistanceFunc computes.
const Custom = vector.Cosine + 1

// DistanceFunc is a user-defined metric: a smaller result means nearer. It may be called from many goroutines at once
// and must not keep or change its arguments.
type DistanceFunc func(a, b []float32) float32
