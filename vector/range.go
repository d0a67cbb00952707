package vector

import (
	"errors"
	"fmt"
	"math"
)

// Errors of vectors for which no distance can be computed.
var (
	ErrNotFinite = errors.New("vector holds NaN or infinity")
	ErrTooLarge  = errors.New("vector is too large")
)

// maxSquare is the largest squared length of vectors whose distances float32 holds: two that point away from each other
// are twice as far apart as they are long.
const maxSquare = math.MaxFloat32 / 4

// MaxLength is the largest length of vectors that are compared by L2 or IP.
var MaxLength = math.Sqrt(maxSquare)

// Check refuses vectors with NaN or infinity, and those so long that distances to them would be infinite. Those
// compared by Cosine may have any length.
func (m Metric) Check(v []float32) error {
	square := squares(v)
	switch {
	case !(square <= math.MaxFloat64):
		return ErrNotFinite
	case m != Cosine && square > maxSquare:
		return fmt.Errorf("%w: its length is %.3g, and float32 holds %v distances of vectors up to %.3g long",
			ErrTooLarge, math.Sqrt(square), m, MaxLength)
	}
	return nil
}

// squares is the sum of the squares of v. That of float32 values is finite where they are.
func squares(v []float32) float64 {
	var sums [4]float64 // side by side: one alone waits for every addition
	for ; len(v) >= 4; v = v[4:] {
		for i, x := range v[:4] {
			sums[i] += float64(x) * float64(x)
		}
	}
	for i, x := range v {
		sums[i] += float64(x) * float64(x)
	}
	return sums[0] + sums[1] + sums[2] + sums[3]
}
