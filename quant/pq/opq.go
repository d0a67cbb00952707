package pq

import (
	"context"
	"fmt"
	"unsafe"

	"gonum.org/v1/gonum/mat"

	"github.com/shale-search/shale/internal/simd"
)

const (
	defaultTurns = 12
	// rotationRows bounds the rows that a rotation is found by.
	rotationRows = 16 << 10
	// turnRounds is how many rounds of Lloyd's algorithm a turn takes.
	turnRounds = 3
)

// findRotation finds a rotation by the non-parametric way of optimized product quantization: codebooks for the rotated rows
// and the rotation that brings rows nearest to what their codes stand for are found in turn. The latter is an orthogonal
// Procrustes problem (Schönemann, 1966), solved by a singular value decomposition. It starts from no rotation.
func (t *trainer) findRotation(ctx context.Context) ([]float32, error) {
	all, count := t.rows, t.n
	defer func() { t.rows, t.n = all, count }()
	rows := t.some(rotationRows)
	n, dim := len(rows)/t.c.Dim, t.c.Dim
	rotation := identity(dim)
	columns := transposed(rows, n, dim)
	decoded := make([]float32, n*dim)
	t.n = n
	for turn := range t.o.Turns {
		t.rows = append([]float32(nil), rows...)
		t.rotateRows(rotation)
		if err := t.turn(ctx, turn == 0, decoded); err != nil {
			return nil, err
		}
		var err error
		if rotation, err = t.procrustes(ctx, columns, decoded, n); err != nil {
			return nil, err
		}
		t.tell()
	}
	return rotation, nil
}

// some gives at most so many of the rows, spread over all.
func (t *trainer) some(most int) []float32 {
	n, dim := min(t.n, most), t.c.Dim
	rows := make([]float32, n*dim)
	for i := range n {
		copy(rows[i*dim:(i+1)*dim], t.rows[int(int64(i)*int64(t.n)/int64(n))*dim:])
	}
	return rows
}

// turn improves the codebooks for the present rows, and writes what the rows' codes stand for, value by value.
func (t *trainer) turn(ctx context.Context, first bool, decoded []float32) error {
	return t.each(ctx, t.c.Subvectors, func(m int) {
		p := t.place(m, t.n)
		if first {
			p.seed()
		}
		for range turnRounds {
			p.round()
		}
		p.assign()
		for i, c := range p.nearest {
			for j, v := range p.centroid(int(c)) {
				decoded[(m*t.width+j)*t.n+i] = v
			}
		}
	})
}

// procrustes finds the rotation R that brings R·x nearest to y over all rows x and y, whose values lie side by side: with
// Y·Xᵀ = U·S·Vᵀ it is U·Vᵀ.
func (t *trainer) procrustes(ctx context.Context, x, y []float32, n int) ([]float32, error) {
	dim := t.c.Dim
	product := make([]float64, dim*dim)
	const block = 2048 // values at a time: those of many columns then fit the second-level cache
	err := t.each(ctx, dim, func(i int) {
		for from := 0; from < n; from += block {
			size := min(block, n-from)
			for j := range dim {
				product[i*dim+j] += float64(simd.Active.DotF32(unsafe.Pointer(&y[i*n+from]), unsafe.Pointer(&x[j*n+from]), size))
			}
		}
	})
	if err != nil {
		return nil, err
	}
	var svd mat.SVD
	if !svd.Factorize(mat.NewDense(dim, dim, product), mat.SVDFull) {
		return nil, fmt.Errorf("pq: no singular value decomposition of the %d × %d products of rows and codes was found", dim, dim)
	}
	var u, v, r mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	r.Mul(&u, v.T())
	rotation := make([]float32, dim*dim)
	for i := range dim {
		for j := range dim {
			rotation[i*dim+j] = float32(r.At(i, j))
		}
	}
	return rotation, nil
}

// rotateRows rotates the rows in place.
func (t *trainer) rotateRows(rotation []float32) {
	const block = 256
	dim := t.c.Dim
	_ = t.each(context.Background(), (t.n+block-1)/block, func(b int) { // which doesn't end early
		v := make([]float32, dim)
		for i := b * block; i < min((b+1)*block, t.n); i++ {
			row := t.rows[i*dim : (i+1)*dim]
			copy(v, row)
			rotate(row, rotation, v)
		}
	})
}

func identity(n int) []float32 {
	m := make([]float32, n*n)
	for i := range n {
		m[i*n+i] = 1
	}
	return m
}

// transposed puts the values of rows side by side.
func transposed(rows []float32, n, dim int) []float32 {
	columns := make([]float32, n*dim)
	for i := range n {
		for j, v := range rows[i*dim : (i+1)*dim] {
			columns[j*n+i] = v
		}
	}
	return columns
}
