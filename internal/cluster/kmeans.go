package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/vector"
)

// KMeansOptions controls KMeans. The zero value of a field means its default.
type KMeansOptions struct {
	Rounds  int    // of Lloyd's algorithm at most; default 20. It ends when hardly a row changes sides.
	Sample  int    // rows a centroid that are looked at, at most; default 256
	Threads int    // default GOMAXPROCS
	Seed    uint64 // the same seed and rows give the same centroids
}

// settled is the share of rows below which changes of centroid end the rounds.
const settled = 0.001

// KMeans finds k centroids of rows, which must be finite, by k-means++ (Arthur & Vassilvitskii, SODA 2007) and Lloyd's
// algorithm, on a sample if there are many rows. A centroid without rows moves to the row farthest from its own. With
// fewer distinct rows than k, some centroids are equal.
func KMeans(ctx context.Context, rows vector.Matrix, k int, o KMeansOptions) (*Centroids, error) {
	switch {
	case k < 1:
		return nil, fmt.Errorf("cluster: %d centroids, not at least 1", k)
	case rows.Rows() == 0:
		return nil, fmt.Errorf("cluster: no rows to find %d centroids of", k)
	}
	if o.Rounds <= 0 {
		o.Rounds = 20
	}
	if o.Sample <= 0 {
		o.Sample = 256
	}
	rnd := rand.New(rand.NewPCG(o.Seed, uint64(k)))
	sample, err := sampled(rows, k*o.Sample, rnd)
	if err != nil {
		return nil, err
	}
	l := lloyd{rows: sample, o: o, nearest: make([]uint32, sample.Rows()), distance: make([]float32, sample.Rows())}
	if l.c, err = l.plusPlus(ctx, k, rnd); err != nil {
		return nil, err
	}
	return l.c, l.run(ctx)
}

// sampled returns at most n of the rows as float32.
func sampled(rows vector.Matrix, n int, rnd *rand.Rand) (vector.Matrix, error) {
	n = min(n, rows.Rows())
	data := make([]float32, n*rows.Dim())
	for i := range n {
		lo, hi := i*rows.Rows()/n, (i+1)*rows.Rows()/n
		row := data[i*rows.Dim() : (i+1)*rows.Dim()]
		at := lo + rnd.IntN(hi-lo)
		if rows.Decode(at, row); !floats.Finite(row) {
			return vector.Matrix{}, fmt.Errorf("cluster: row %d holds NaN or infinity", at)
		}
	}
	return vector.Of(data, rows.Dim())
}

// lloyd is the state of Lloyd's algorithm.
type lloyd struct {
	rows     vector.Matrix // float32
	o        KMeansOptions
	c        *Centroids
	nearest  []uint32
	distance []float32
}

// plusPlus picks rows as first centroids, each with a probability in proportion to its squared distance from those
// before.
func (l *lloyd) plusPlus(ctx context.Context, k int, rnd *rand.Rand) (*Centroids, error) {
	n, dim := l.rows.Rows(), l.rows.Dim()
	data := make([]float32, k*dim)
	for i := range l.distance {
		l.distance[i] = 1
	}
	one, far := make([]uint32, n), make([]float32, n)
	for i := range k {
		point := data[i*dim : (i+1)*dim]
		l.rows.Decode(draw(l.distance, rnd), point)
		c, err := NewCentroids(point, dim)
		if err != nil {
			return nil, err
		}
		if err := c.Assign(ctx, l.rows, l.o.Threads, one, far); err != nil {
			return nil, err
		}
		for j, d := range far {
			if i == 0 || d < l.distance[j] {
				l.distance[j] = d
			}
		}
	}
	return NewCentroids(data, dim)
}

// draw returns i with a probability in proportion to weight[i], or any if all weights are 0.
func draw(weight []float32, rnd *rand.Rand) int {
	sum := 0.0
	for _, w := range weight {
		sum += float64(w)
	}
	at := rnd.Float64() * sum
	for i, w := range weight {
		if at -= float64(w); at < 0 {
			return i
		}
	}
	return rnd.IntN(len(weight))
}

// run moves the centroids to the means of their rows until few rows change their centroid.
func (l *lloyd) run(ctx context.Context) error {
	before := make([]uint32, len(l.nearest))
	for round := range l.o.Rounds {
		copy(before, l.nearest)
		if err := l.c.Assign(ctx, l.rows, l.o.Threads, l.nearest, l.distance); err != nil {
			return err
		}
		changed := 0
		for i, n := range l.nearest {
			if n != before[i] {
				changed++
			}
		}
		if round > 0 && float64(changed) <= settled*float64(len(before)) {
			return nil
		}
		l.move()
	}
	return nil
}

// move makes every centroid the mean of the rows nearest to it.
func (l *lloyd) move() {
	dim, k := l.c.Dim(), l.c.Len()
	sums, count := make([]float64, k*dim), make([]int, k)
	for i, n := range l.nearest {
		count[n]++
		sum := sums[int(n)*dim : (int(n)+1)*dim]
		for j, v := range vector.Row[float32](l.rows, i) {
			sum[j] += float64(v)
		}
	}
	for n := range k {
		point := l.c.at(n)
		if count[n] == 0 {
			far := farthest(l.distance)
			copy(point, vector.Row[float32](l.rows, far))
			l.distance[far] = 0 // the next one goes elsewhere
			continue
		}
		for j := range point {
			point[j] = float32(sums[n*dim+j] / float64(count[n]))
		}
	}
}

func farthest(distance []float32) int {
	best := 0
	for i, d := range distance {
		if d > distance[best] {
			best = i
		}
	}
	return best
}
