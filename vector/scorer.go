package vector

import (
	"fmt"
	"unsafe"

	"github.com/shale-search/shale/internal/simd"
)

// Scorer gives the distances of rows to the query that it is bound to.
type Scorer interface {
	// Score writes the distances of ids to out, which is at least as long.
	Score(ids []uint32, out []float32)
	// Prefetch asks for what Score will read for ids, without waiting for it.
	Prefetch(ids []uint32)
}

// DistanceFunc is a user-defined metric: smaller is nearer. It may be called from many goroutines and must not keep or
// change its arguments.
type DistanceFunc func(a, b []float32) float32

// RowScorer scores the rows of one matrix by one metric. It is bound to a query, or to a row as the query, and may
// be bound again and again without allocating. It is not safe for concurrent use.
type RowScorer struct {
	batch  simd.Batch
	custom DistanceFunc
	rows   Matrix
	query  unsafe.Pointer // dim float32 values
	own    []float32      // where a query is kept when it can't be read in place
	other  []float32      // a decoded row, for custom metrics
}

// NewRowScorer makes a scorer of rows, which must be float32, float16 or ScaledInt8; custom, if not nil, takes the
// metric's place.
func NewRowScorer(rows Matrix, metric Metric, custom DistanceFunc) (*RowScorer, error) {
	s := &RowScorer{}
	if err := s.Reset(rows, metric, custom); err != nil {
		return nil, err
	}
	return s, nil
}

// Reset makes s a scorer of other rows.
func (s *RowScorer) Reset(rows Matrix, metric Metric, custom DistanceFunc) error {
	k := simd.Active
	switch {
	case rows.typ == Float32 && metric == L2:
		s.batch = k.BatchL2F32
	case rows.typ == Float32:
		s.batch = k.BatchIPF32
	case rows.typ == Float16 && metric == L2:
		s.batch = k.BatchL2F16
	case rows.typ == Float16:
		s.batch = k.BatchIPF16
	case rows.typ == ScaledInt8 && metric == L2:
		s.batch = k.BatchL2SQ8
	case rows.typ == ScaledInt8:
		s.batch = k.BatchIPSQ8
	default:
		return fmt.Errorf("vector: rows of %s can't be scored by a float query", rows.typ)
	}
	s.custom, s.rows, s.query = custom, rows, nil
	if cap(s.own) < rows.dim {
		s.own, s.other = make([]float32, rows.dim), make([]float32, rows.dim)
	}
	s.own, s.other = s.own[:rows.dim], s.other[:rows.dim]
	return nil
}

// Query is the memory that a caller may fill with a query before BindOwn.
func (s *RowScorer) Query() []float32 { return s.own }

// BindOwn binds the scorer to what Query holds.
func (s *RowScorer) BindOwn() { s.query = unsafe.Pointer(unsafe.SliceData(s.own)) }

// BindRow binds the scorer to row id as the query.
func (s *RowScorer) BindRow(id uint32) {
	if s.rows.typ == Float32 {
		s.query = s.rows.at(int(id))
		return
	}
	s.rows.Decode(int(id), s.own)
	s.BindOwn()
}

// Prefetch implements Scorer.
func (s *RowScorer) Prefetch(ids []uint32) {
	simd.PrefetchRows(s.rows.base, s.rows.stride, s.rows.typ.RowSize(s.rows.dim), ids)
}

// Score implements Scorer.
func (s *RowScorer) Score(ids []uint32, out []float32) {
	if s.custom == nil {
		s.batch(s.query, s.rows.base, s.rows.stride, s.rows.dim, ids, out)
		return
	}
	q := unsafe.Slice((*float32)(s.query), s.rows.dim)
	for i, id := range ids {
		s.rows.Decode(int(id), s.other)
		out[i] = s.custom(q, s.other)
	}
}
