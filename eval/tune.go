package eval

import (
	"context"
	"fmt"

	"github.com/shale-search/shale"
)

// RecallError says that a recall can't be reached.
type RecallError struct {
	Wanted, Best float64
	Ef           int // with which Best was reached
}

func (e *RecallError) Error() string {
	return fmt.Sprintf("recall %.4f is not reached: ef %d gives %.4f; build with a larger m or ef-construction", e.Wanted, e.Ef, e.Best)
}

// Tune finds the smallest ef, at least k and at most maxEf, with which the queries' recall is at least wanted: it doubles
// ef until that is so and bisects from there. It measures no times. It gives a *RecallError where no ef does.
func Tune(ctx context.Context, x Searcher, queries shale.Matrix, truth *Truth, wanted float64, maxEf int, o Options) (Point, error) {
	b, err := newBench(x, queries, truth, o)
	if err != nil {
		return Point{}, err
	}
	if !(wanted > 0 && wanted <= 1) {
		return Point{}, fmt.Errorf("eval: recall %v is not above 0 and up to 1", wanted)
	}
	maxEf = max(maxEf, b.o.K)
	low, best := b.o.K-1, Point{Ef: b.o.K} // low is too small
	for {
		if best, err = b.quality(ctx, best.Ef); err != nil {
			return Point{}, err
		}
		if best.Recall >= wanted {
			break
		}
		if best.Ef == maxEf {
			return Point{}, &RecallError{Wanted: wanted, Best: best.Recall, Ef: best.Ef}
		}
		low, best.Ef = best.Ef, min(2*best.Ef, maxEf)
	}
	for low+1 < best.Ef {
		p, err := b.quality(ctx, low+(best.Ef-low)/2)
		if err != nil {
			return Point{}, err
		}
		if p.Recall >= wanted {
			best = p
		} else {
			low = p.Ef
		}
	}
	return best, nil
}
