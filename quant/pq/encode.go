package pq

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

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
			row := make([]float32, q.cfg.Dim)
			for ctx.Err() == nil {
				from := int(next.Add(step)) - step
				if from >= rows.Rows() {
					return
				}
				for i := from; i < min(from+step, rows.Rows()); i++ {
					rows.Decode(i, row)
					q.encode(row, dst[i*q.Stride():(i+1)*q.Stride()])
				}
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// encode writes the code of row, which it normalises where the metric asks for it.
func (q *Quantizer) encode(row []float32, code []byte) {
	if q.cfg.Metric == vector.Cosine {
		vector.Normalize(row)
	}
	for m := range code {
		centroids, norms := q.book(m)
		code[m] = uint8(nearest(row[m*q.width:(m+1)*q.width], centroids, norms))
	}
}

// nearest is the centroid nearest to v: ‖c‖² − 2⟨v, c⟩ ranks them as distances do.
func nearest(v, centroids, norms []float32) int {
	best, least := 0, float32(0)
	if len(v) == 2 {
		x, y := 2*v[0], 2*v[1]
		for i, n := range norms {
			if d := n - x*centroids[2*i] - y*centroids[2*i+1]; i == 0 || d < least {
				best, least = i, d
			}
		}
		return best
	}
	for i, n := range norms {
		c := centroids[i*len(v) : (i+1)*len(v)]
		d := n
		for j, x := range v {
			d -= 2 * x * c[j]
		}
		if i == 0 || d < least {
			best, least = i, d
		}
	}
	return best
}
