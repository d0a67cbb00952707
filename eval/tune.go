package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/vector"
)

// RecallError reports that no setting reaches the recall wanted.
type RecallError struct {
	Wanted float64
	Best   float64 // the highest recall measured
	Ef     int     // the ef that reached Best
}

func (e *RecallError) Error() string {
	return fmt.Sprintf("recall %.4f is not reached: ef %d gives %.4f; build with a larger m or ef-construction",
		e.Wanted, e.Ef, e.Best)
}

// tuneEf finds the smallest ef, at least k and at most maxEf, with which the queries' recall is at least wanted. It
// doubles ef until that is so, and then bisects. It measures no times. If no ef suffices the error is a *RecallError.
func tuneEf(ctx context.Context, x *shale.Index, queries vector.Matrix, truth *Truth, wanted float64,
	maxEf int, o Options) (Point, error) {
	b, err := newBench(x, queries, truth, o)
	if err != nil {
		return Point{}, err
	}
	if !(wanted > 0 && wanted <= 1) {
		return Point{}, fmt.Errorf("eval: recall %v is not above 0 and up to 1", wanted)
	}
	return b.smallest(ctx, wanted, maxEf)
}

func (b *bench) smallest(ctx context.Context, wanted float64, maxEf int) (best Point, err error) {
	maxEf = min(max(maxEf, b.o.K), math.MaxInt32)
	low := b.o.K - 1 // too small
	best.Ef = b.o.K
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

// slacks are the values of Slack that Tune tries.
var slacks = []float32{0.05, 0.08, 0.12, 0.18, 0.25}

const (
	slackEf    = 4    // with slack, ef is at most this many times the ef that suffices without
	fewer      = 0.98 // a slack that computes a larger share of the distances than this isn't timed
	tuneRounds = 5    // times that each setting is timed
	faster     = 1.03 // a setting must be this many times as fast as the first, so that chance doesn't decide
)

// Tune finds the fastest settings with which the queries' recall is at least wanted. For no slack and several values of
// Slack, and for each of o.Shares, it finds the smallest ef between k and maxEf that suffices. It then times these
// settings in turns and returns the fastest. If no ef suffices the error is a *RecallError.
func Tune(ctx context.Context, x *shale.Index, queries vector.Matrix, truth *Truth, wanted float64,
	maxEf int, o Options) (Point, error) {
	b, err := newBench(x, queries, truth, o)
	if err != nil {
		return Point{}, err
	}
	if !(wanted > 0 && wanted <= 1) {
		return Point{}, fmt.Errorf("eval: recall %v is not above 0 and up to 1", wanted)
	}
	b.o.Search.Slack = 0
	plain, err := b.smallest(ctx, wanted, maxEf)
	if err != nil {
		return plain, err
	}
	points := []Point{plain}
	for _, share := range o.Shares {
		b.o.Search.Share = share
		if points, err = b.tryUnder(ctx, points, wanted, maxEf, 1); err != nil {
			return plain, err
		}
	}
	for _, p := range points {
		b.o.Search.Share = p.Share
		for _, slack := range slacks {
			b.o.Search.Slack = slack
			if points, err = b.tryUnder(ctx, points, wanted, maxEf, fewer); err != nil {
				return plain, err
			}
		}
		b.o.Search.Slack = 0
	}
	return b.fastest(ctx, points)
}

// tryUnder appends the point of the smallest ef that reaches the recall with the bench's options. It appends nothing if
// that needs more than slackEf times the ef of the first point, or more than a share of its distances.
func (b *bench) tryUnder(ctx context.Context, points []Point, wanted float64, maxEf int,
	share float64) ([]Point, error) {
	p, err := b.smallest(ctx, wanted, min(maxEf, slackEf*points[0].Ef))
	var short *RecallError
	switch {
	case errors.As(err, &short):
		return points, nil
	case err != nil:
		return points, err
	case p.Distances < share*points[0].Distances:
		points = append(points, p)
	}
	return points, nil
}

// fastest times the points in turns and returns the fastest: the first, which is the simplest, unless another is
// clearly faster.
func (b *bench) fastest(ctx context.Context, points []Point) (Point, error) {
	speeds := make([][]float64, len(points))
	for range tuneRounds {
		for i := range points {
			b.o.Search.Slack, b.o.Search.Share = points[i].Slack, points[i].Share
			if err := b.time(ctx, &points[i]); err != nil {
				return points[0], err
			}
			speeds[i] = append(speeds[i], points[i].QPS)
		}
	}
	for i := range points {
		slices.Sort(speeds[i])
		points[i].QPS = speeds[i][tuneRounds/2]
	}
	best := slices.MaxFunc(points, func(a, b Point) int { return cmp.Compare(a.QPS, b.QPS) })
	if best.QPS < faster*points[0].QPS {
		return points[0], nil
	}
	return best, nil
}
