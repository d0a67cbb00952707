// Package cluster divides rows into groups: by k-means, and into parts of bounded size that cut few neighbourhoods. Its
// routing tables tell in which parts a query's neighbours probably are.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/internal/workers"
	"github.com/shale-search/shale/vector"
)

// Centroids is a set of points. Each stands for the rows that are nearest to it by squared Euclidean distance.
type Centroids struct {
	data   []float32
	points vector.Matrix
}

// NewCentroids returns data as points of dim values each.
func NewCentroids(data []float32, dim int) (*Centroids, error) {
	points, err := vector.Of(data, dim)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	if points.Rows() == 0 {
		return nil, errors.New("cluster: there must be at least one centroid")
	}
	if !floats.Finite(data) {
		return nil, errors.New("cluster: a centroid holds NaN or infinity")
	}
	return &Centroids{data, points}, nil
}

// Len returns the number of points.
func (c *Centroids) Len() int { return c.points.Rows() }

// Dim returns the number of values of a point.
func (c *Centroids) Dim() int { return c.points.Dim() }

// Points returns the points.
func (c *Centroids) Points() vector.Matrix { return c.points }

// at returns point i.
func (c *Centroids) at(i int) []float32 { return c.data[i*c.Dim() : (i+1)*c.Dim()] }

// Assign writes the number of the point nearest to each row to nearest, and its squared distance to distance. Both are
// as long as there are rows. Of points equally far it takes the first. If threads is 0 it uses GOMAXPROCS threads.
func (c *Centroids) Assign(ctx context.Context, rows vector.Matrix, threads int,
	nearest []uint32, distance []float32) error {
	if rows.Dim() != c.Dim() {
		return fmt.Errorf("cluster: %w: rows of %d values, centroids of %d", vector.ErrDim, rows.Dim(), c.Dim())
	}
	return inBlocks(ctx, rows.Rows(), threads, func() (func(lo, hi int), error) {
		s, err := newScan(c)
		if err != nil {
			return nil, err
		}
		return func(lo, hi int) {
			for i := lo; i < hi; i++ {
				rows.Decode(i, s.scorer.Query())
				nearest[i], distance[i] = s.nearest()
			}
		}, nil
	})
}

// scan compares rows with all points.
type scan struct {
	scorer *score.Rows
	ids    []uint32
	dist   []float32
}

func newScan(c *Centroids) (*scan, error) {
	scorer, err := score.New(c.points, vector.L2, nil)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	s := &scan{scorer: scorer, ids: make([]uint32, c.Len()), dist: make([]float32, c.Len())}
	for i := range s.ids {
		s.ids[i] = uint32(i)
	}
	return s, nil
}

// score writes the distances of all points to the vector in the scorer's Query to dist.
func (s *scan) score() {
	s.scorer.BindOwn()
	s.scorer.Score(s.ids, s.dist)
}

func (s *scan) nearest() (uint32, float32) {
	s.score()
	best := 0
	for i, d := range s.dist {
		if d < s.dist[best] {
			best = i
		}
	}
	return uint32(best), s.dist[best]
}

// inBlocks divides 0 … n into blocks and calls a worker of start with each, on the given number of goroutines.
func inBlocks(ctx context.Context, n, threads int, start func() (func(lo, hi int), error)) error {
	const block = 256
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, workers.Threads(threads, n/block+1))
	for t := range errs {
		wg.Go(func() {
			workers.Begin(ctx)
			work, err := start()
			if err != nil {
				errs[t] = err
				return
			}
			for ctx.Err() == nil {
				lo := int(next.Add(block)) - block
				if lo >= n {
					return
				}
				work(lo, min(lo+block, n))
			}
		})
	}
	wg.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}
