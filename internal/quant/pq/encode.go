package pq

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/internal/simd"
	"github.com/shale-search/shale/internal/workers"
	"github.com/shale-search/shale/vector"
)

// encodeRows is the number of rows that are encoded together, one sub-vector after the other, so that a book stays in
// the first-level cache.
const encodeRows = 128

// Encode writes the codes of rows to dst, which has room for all. If threads is 0 it uses GOMAXPROCS threads. Of
// centroids equally near it takes the first.
func (q *Quantizer) Encode(ctx context.Context, rows vector.Matrix, threads int, dst []byte) error {
	if rows.Rows() > 0 && rows.Dim() != q.cfg.Dim {
		return fmt.Errorf("%w: rows of %d values, codes of %d", vector.ErrDim, rows.Dim(), q.cfg.Dim)
	}
	if len(dst) < q.Bytes(rows.Rows()) {
		return fmt.Errorf("pq: %d bytes for %d codes of %d", len(dst), rows.Rows(), q.Stride())
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers.Threads(threads, rows.Rows()/encodeRows+1) {
		wg.Go(func() {
			e := q.encoder(encodeRows)
			for ctx.Err() == nil {
				from := int(next.Add(encodeRows)) - encodeRows
				if from >= rows.Rows() {
					return
				}
				to := min(from+encodeRows, rows.Rows())
				for i := from; i < to; i++ {
					rows.Decode(i, e.row)
					e.take(i - from)
				}
				e.encode(dst[q.Bytes(from):q.Bytes(to)], to-from)
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// Encoder encodes and decodes single rows. It reuses its memory and isn't safe for concurrent use.
type Encoder struct {
	q       *Quantizer
	room    int
	row     []float32 // as it came
	rotated []float32
	cut     []float32 // the sub-vectors of a place, those of all rows; then the next place
	nearest []uint8
	code    []byte
}

// NewEncoder returns an encoder.
func (q *Quantizer) NewEncoder() *Encoder { return q.encoder(1) }

// encoder returns an encoder of the given number of rows at a time.
func (q *Quantizer) encoder(rows int) *Encoder {
	e := &Encoder{q: q, room: rows, row: make([]float32, q.cfg.Dim), cut: make([]float32, rows*q.cfg.Dim)}
	e.nearest, e.code = make([]uint8, rows), make([]byte, rows*q.Stride())
	e.rotated = e.row
	if q.rotation != nil {
		e.rotated = make([]float32, q.cfg.Dim)
	}
	return e
}

// take adds the row in e.row, which it changes, at position i to the rows to be encoded.
func (e *Encoder) take(i int) {
	q := e.q
	if q.cfg.Metric == vector.Cosine {
		vector.Normalize(e.row)
	}
	if q.rotation != nil {
		rotate(e.rotated, q.rotation, e.row)
	}
	for m := range q.cfg.Subvectors {
		copy(e.cut[(m*e.room+i)*q.width:], e.rotated[m*q.width:(m+1)*q.width])
	}
}

// encode writes the codes of the first n rows taken.
func (e *Encoder) encode(dst []byte, n int) {
	q, stride := e.q, e.q.Stride()
	clear(dst)
	for m := range q.cfg.Subvectors {
		simd.Active.Nearest(&e.nearest[0], &e.cut[m*e.room*q.width], &q.norms[m*q.row],
			&q.columns[m*q.width*q.row], n, q.width, q.row)
		at, shift := m, 0
		if q.cfg.Bits == 4 {
			at, shift = m/2, 4*(m%2)
		}
		for i, c := range e.nearest[:n] {
			dst[i*stride+at] |= c << shift
		}
	}
}

// Encode writes the code of vec to code, Stride bytes long. If vec isn't finite the code is useless.
func (e *Encoder) Encode(code []byte, vec []float32) {
	copy(e.row, vec)
	e.take(0)
	e.encode(e.code, 1)
	store(code, e.code)
}

// store copies a finished code to its place. Codes may be rewritten while kernels read them; the index's epoch makes
// such readers read again. The directive keeps the race detector, which sees only the plain Go kernels, from reporting
// that.
//
//go:norace
func store(to, code []byte) { copy(to, code) }

// Decode writes the vector that a code stands for to vec, which has Dim values.
func (e *Encoder) Decode(vec []float32, code []byte) {
	if e.q.rotation == nil {
		e.q.decodeRotated(code, vec)
		return
	}
	e.q.decodeRotated(code, e.rotated)
	rotateBack(vec, e.q.rotation, e.rotated)
}
