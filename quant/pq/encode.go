package pq

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/internal/simd"
	"github.com/shale-search/shale/vector"
)

// Encode writes the codes of rows to dst, which has room for them all, on so many threads, 0 meaning GOMAXPROCS. Of centroids
// equally near it takes the first.
func (q *Quantizer) Encode(ctx context.Context, rows vector.Matrix, threads int, dst []byte) error {
	if rows.Rows() > 0 && rows.Dim() != q.cfg.Dim {
		return fmt.Errorf("%w: rows of %d values, codes of %d", vector.ErrDim, rows.Dim(), q.cfg.Dim)
	}
	if len(dst) < rows.Rows()*q.Stride() {
		return fmt.Errorf("pq: %d bytes for %d codes of %d", len(dst), rows.Rows(), q.Stride())
	}
	const step = 128
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(threads, rows.Rows()/step+1) {
		wg.Go(func() {
			row, table := make([]float32, q.cfg.Dim), make([]float32, q.cfg.Subvectors*maxCentroids)
			for ctx.Err() == nil {
				from := int(next.Add(step)) - step
				if from >= rows.Rows() {
					return
				}
				for i := from; i < min(from+step, rows.Rows()); i++ {
					rows.Decode(i, row)
					q.encode(row, table, dst[i*q.Stride():(i+1)*q.Stride()])
				}
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// encode writes the code of row, which it changes; table is room for one.
func (q *Quantizer) encode(row, table []float32, code []byte) {
	if q.cfg.Metric == vector.Cosine {
		vector.Normalize(row)
	}
	distances(table, q.norms, q.columns, row, q.cfg.Subvectors)
	for m := range code {
		code[m] = uint8(smallest(table[m*maxCentroids:][:maxCentroids]))
	}
}

// distances fills table with ‖c‖² − 2⟨v, c⟩ for each centroid c of each part of v, which ranks them as distances do. It
// changes v.
func distances(table, norms, columns, v []float32, subvectors int) {
	for i, x := range v {
		v[i] = -2 * x
	}
	simd.Active.Tables(&table[0], &norms[0], &columns[0], &v[0], subvectors, len(v)/subvectors)
}

// smallest is the place of the first of the smallest values.
func smallest(values []float32) int {
	best, least := 0, values[0]
	for i, d := range values {
		if d < least {
			best, least = i, d
		}
	}
	return best
}
