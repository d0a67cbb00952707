package shale

import (
	"math"
	"math/rand/v2"

	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/internal/score"
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
	// halfError is the share of a row's length that rounding may take: twice what it takes of
	// values that have all their bits.
	halfError = 1.0 / 1024

	// halfRows and halfAsked are how many rows of those given are compared with how many of them.
	halfRows  = 1024
	halfAsked = 64
	// halfNear is how many times as far as rounding moves a row its nearest neighbour must be,
	// of all but one in halfBut rows.
	halfNear = 16
	halfBut  = 8
)

// halfIsSafe reports whether rows stay distinct in half precision, so that exact distances may come from it. Each row
// must lose hardly anything, and rounding must move nearly all rows of a sample far less than the distance to their
// nearest neighbours. With cosine the normalised rows are looked at.
func halfIsSafe(rows vector.Matrix, m vector.Metric) bool {
	if rows.Type() != vector.Float32 || rows.Rows() == 0 {
		return true // half precision holds values of the other types as they are
	}
	return (m == vector.Cosine || halfHolds(rows)) && halfTellsApart(rows, m)
}

// halfHolds looks at the sizes of all values.
func halfHolds(rows vector.Matrix) bool {
	row, sum, squares := make([]float32, rows.Dim()), make([]float64, rows.Dim()), 0.0
	for i := range rows.Rows() {
		rows.Decode(i, row)
		length, lost := 0.0, 0.0
		for j, v := range row {
			if !(v >= -halfLimit && v <= halfLimit) { // NaN too: the index refuses it
				return false
			}
			sum[j] += float64(v)
			off := float64(v) - float64(floats.FromHalf(floats.ToHalf(v)))
			length += float64(v) * float64(v)
			lost += off * off
		}
		if lost > halfError*halfError*length {
			return false
		}
		squares += length
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

// halfTellsApart compares how far rounding moves rows with how far their neighbours are. Equal
// rows stay equal, and don't count.
func halfTellsApart(rows vector.Matrix, m vector.Metric) bool {
	n, dim := min(rows.Rows(), halfRows), rows.Dim()
	data, off := make([]float32, n*dim), make([]float64, n)
	order := rand.New(rand.NewPCG(uint64(rows.Rows()), uint64(dim))).Perm(n)
	for i, at := range order {
		row := data[i*dim : (i+1)*dim]
		rows.Decode(at*rows.Rows()/n, row)
		if m == vector.Cosine {
			vector.Normalize(row)
		}
		for _, v := range row {
			d := float64(v) - float64(floats.FromHalf(floats.ToHalf(v)))
			off[i] += d * d
		}
	}
	sample, err := vector.Of(data, dim)
	if err != nil {
		return false
	}
	s, err := score.New(sample, vector.L2, nil)
	if err != nil {
		return false
	}
	ids, distances := make([]uint32, n), make([]float32, n)
	for i := range ids {
		ids[i] = uint32(i)
	}
	asked, tooNear := min(n, halfAsked), 0
	for i := range asked {
		s.BindRow(uint32(i))
		s.Score(ids, distances)
		if nearest := nearestOther(distances); off[i]*halfNear*halfNear > nearest {
			tooNear++
		}
	}
	return tooNear*halfBut <= asked
}

// nearestOther is the smallest distance above 0.
func nearestOther(distances []float32) float64 {
	nearest := math.Inf(1)
	for _, d := range distances {
		if d > 0 {
			nearest = min(nearest, float64(d))
		}
	}
	return nearest
}
