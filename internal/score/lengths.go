package score

import (
	"errors"
	"fmt"
	"math"

	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/vector"
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
func Check(m vector.Metric, v []float32) error {
	square := floats.Squares(v)
	switch {
	case !(square <= math.MaxFloat64):
		return ErrNotFinite
	case m != vector.Cosine && square > maxSquare:
		return fmt.Errorf("%w: its length is %.3g, and float32 holds %v distances of vectors up to %.3g long",
			ErrTooLarge, math.Sqrt(square), m, maxLength)
	}
	return nil
}
