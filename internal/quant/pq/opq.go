package pq

import (
	"context"
	"errors"
	"fmt"
	"math"
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

// findRotation finds a rotation by the non-parametric way of optimized product quantization: codebooks for the rotated
// rows and the rotation that brings rows nearest to what their codes stand for are found in turn. The latter is an
// orthogonal Procrustes problem (Schönemann, 1966), solved by a singular value decomposition. It starts from the
// parametric way's, or from none where codes lose less so: of values that aren't normally distributed the first may
// lose more.
func (t *trainer) findRotation(ctx context.Context) ([]float32, error) {
	all, count := t.rows, t.n
	defer func() { t.rows, t.n = all, count }()
	rows := t.some(rotationRows)
	n, dim := len(rows)/t.c.Dim, t.c.Dim
	columns := transposed(rows, n, dim)
	decoded := make([]float32, n*dim)
	t.n = n
	rotation, err := t.start(ctx, rows, columns, decoded)
	if err != nil {
		return nil, err
	}
	for turn := range t.o.Turns {
		t.rows = append([]float32(nil), rows...)
		t.rotateRows(rotation)
		if err := t.turn(ctx, turn == 0, decoded); err != nil {
			return nil, err
		}
		if rotation, err = t.procrustes(ctx, columns, decoded, n); err != nil {
			return nil, err
		}
		t.tell()
	}
	return rotation, nil
}

// start returns the rotation that the turns start from.
func (t *trainer) start(ctx context.Context, rows, columns, decoded []float32) ([]float32, error) {
	balanced, err := t.balanced(ctx, columns, t.n)
	if err != nil {
		return nil, err
	}
	var best []float32
	least := math.Inf(1)
	for _, rotation := range [][]float32{balanced, identity(t.c.Dim)} {
		t.rows = append([]float32(nil), rows...)
		t.rotateRows(rotation)
		if err := t.turn(ctx, true, decoded); err != nil {
			return nil, err
		}
		if lost := t.lost(decoded); best == nil || lost < least {
			best, least = rotation, lost
		}
	}
	return best, nil
}

// lost returns the squared distance of all rows from what their codes stand for.
func (t *trainer) lost(decoded []float32) float64 {
	sum := 0.0
	for i := range t.n {
		for j, v := range t.rows[i*t.c.Dim : (i+1)*t.c.Dim] {
			d := float64(v) - float64(decoded[j*t.n+i])
			sum += d * d
		}
	}
	return sum
}

func identity(n int) []float32 {
	m := make([]float32, n*n)
	for i := range n {
		m[i*n+i] = 1
	}
	return m
}

// some returns at most most of the rows, spread evenly.
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

// procrustes returns the rotation R that brings R·x nearest to y over all rows x and y, whose values lie side by side:
// with Y·Xᵀ = U·S·Vᵀ it is U·Vᵀ.
func (t *trainer) procrustes(ctx context.Context, x, y []float32, n int) ([]float32, error) {
	dim := t.c.Dim
	product, err := t.products(ctx, y, x, n)
	if err != nil {
		return nil, err
	}
	var svd mat.SVD
	if !svd.Factorize(mat.NewDense(dim, dim, product), mat.SVDFull) {
		return nil, fmt.Errorf("pq: no singular value decomposition of the %d × %d products of rows and codes was found",
			dim, dim)
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

// products returns the sums over n rows of each value of a times each of b, whose values lie side by side.
func (t *trainer) products(ctx context.Context, a, b []float32, n int) ([]float64, error) {
	dim := t.c.Dim
	product := make([]float64, dim*dim)
	const block = 2048 // values at a time: those of many columns then fit the second-level cache
	err := t.each(ctx, dim, func(i int) {
		for from := 0; from < n; from += block {
			size := min(block, n-from)
			for j := range dim {
				product[i*dim+j] += float64(simd.Active.DotF32(unsafe.Pointer(&a[i*n+from]), unsafe.Pointer(&b[j*n+from]), size))
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for _, p := range product {
		if math.IsNaN(p) || math.IsInf(p, 0) {
			return nil, errors.New("pq: rows are too long for a rotation to be found")
		}
	}
	return product, nil
}

// balanced returns the rotation that is best for normally distributed rows, whose values lie side by side: to the
// eigenvectors of their covariance, shared out to the sub-vectors so that the products of their eigenvalues are about
// the same (Ge et al., section 3.2). From no rotation the turns would not get away where values are uncorrelated.
func (t *trainer) balanced(ctx context.Context, columns []float32, n int) ([]float32, error) {
	dim := t.c.Dim
	cov, err := t.products(ctx, columns, columns, n)
	if err != nil {
		return nil, err
	}
	mean := make([]float64, dim)
	for j := range mean {
		for _, v := range columns[j*n : (j+1)*n] {
			mean[j] += float64(v) / float64(n)
		}
	}
	symmetric := mat.NewSymDense(dim, nil)
	for i := range dim {
		for j := range i + 1 {
			symmetric.SetSym(i, j, cov[i*dim+j]/float64(n)-mean[i]*mean[j])
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(symmetric, true) {
		return nil, fmt.Errorf("pq: no eigenvectors of the covariance of %d values were found", dim)
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	rotation := make([]float32, dim*dim)
	for to, from := range t.shareOut(eigen.Values(nil)) {
		for j := range dim {
			rotation[to*dim+j] = float32(vectors.At(j, from))
		}
	}
	return rotation, nil
}

// shareOut returns the eigenvector that each value of the rotated rows lies along: the largest ones, which come last,
// are given out first, each to the sub-vector with room whose eigenvalues have the smallest product so far.
func (t *trainer) shareOut(values []float64) []int {
	order := make([]int, len(values))
	product, filled := make([]float64, t.c.Subvectors), make([]int, t.c.Subvectors)
	least := max(values[len(values)-1], 1e-30) * 1e-9 // eigenvalues below it count as it
	for i := len(values) - 1; i >= 0; i-- {
		best := -1
		for m, n := range filled {
			if n < t.width && (best < 0 || product[m] < product[best]) {
				best = m
			}
		}
		order[best*t.width+filled[best]] = i
		product[best] += math.Log(max(values[i], least) / least)
		filled[best]++
	}
	return order
}

// transposed returns the values of rows, each value of all rows together.
func transposed(rows []float32, n, dim int) []float32 {
	columns := make([]float32, n*dim)
	for i := range n {
		for j, v := range rows[i*dim : (i+1)*dim] {
			columns[j*n+i] = v
		}
	}
	return columns
}
