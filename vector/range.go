package vector

import (
	"errors"
	"fmt"
	"math"
)

// The errors of vectors for which no distance can be computed.
var (
	ErrNotFinite = errors.New("vector holds NaN or infinity")
	ErrTooLarge  = errors.New("vector is too large")
)

// maxSquare is the largest squared length of vectors whose distances fit float32: two opposite vectors are twice as far
// apart as they are long.
const maxSquare = math.MaxFloat32 / 4

// maxLength is the largest length of vectors that are compared by L2 or IP.
var maxLength = math.Sqrt(maxSquare)

// Check returns ErrNotFinite for a vector with NaN or infinity, and an error with ErrTooLarge for one so long that
// distances to it could be infinite. With Cosine any length is allowed.
func (m Metric) Check(v []float32) error {
	square := squares(v)
	switch {
	case !(square <= math.MaxFloat64):
		return ErrNotFinite
	case m != Cosine && square > maxSquare:
		return fmt.Errorf("%w: its length is %.3g, and float32 holds %v distances of vectors up to %.3g long",
			ErrTooLarge, math.Sqrt(square), m, maxLength)
	}
	return nil
}

// squares returns the sum of the squares of v, which is finite if v is.
func squares(v []float32) float64 {
	var sums [4]float64 // four sums, so that no addition waits for the one before
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
