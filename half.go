package shale

import (
	"math"

	"github.com/shale-search/shale/vector"
)

const (
	// halfLimit is the largest value up to which half precision holds all whole numbers.
	halfLimit = 2048
	// halfSpread is how many times the spread of values around their means their size may be: half precision has 11 bits,
	// so that its errors stay below 1/128 of the spread.
	halfSpread = 32
	// halfSmall is the least size of values: those far below it have fewer bits.
	halfSmall = 1.0 / 1024
)

// HalfIsSafe reports whether half precision keeps what tells rows apart, so that exact distances may come from it. With
// cosine it does: rows are normalised.
func HalfIsSafe(rows Matrix, m Metric) bool {
	if m == Cosine || rows.Type() != vector.Float32 || rows.Rows() == 0 {
		return true // half precision holds values of the other types as they are
	}
	row, sum, squares := make([]float32, rows.Dim()), make([]float64, rows.Dim()), 0.0
	for i := range rows.Rows() {
		rows.Decode(i, row)
		for j, v := range row {
			if !(v >= -halfLimit && v <= halfLimit) { // NaN too: the index refuses it
				return false
			}
			sum[j] += float64(v)
			squares += float64(v) * float64(v)
		}
	}
	n := float64(rows.Rows())
	size, spread := squares/n, squares/n
	for _, s := range sum {
		spread -= s / n * (s / n)
	}
	if rows.Rows() == 1 {
		spread = size
	}
	return math.Sqrt(size/float64(len(row))) >= halfSmall && size <= halfSpread*halfSpread*spread
}
