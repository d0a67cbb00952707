package cluster

import (
	"context"
	"fmt"

	"github.com/shale-search/shale/vector"
)

// choicesOf is the number of nearest parts that a row may choose from. A row that finds all full goes where there is
// room.
const choicesOf = 8

// DivideOptions controls Divide. The zero value of a field means its default.
type DivideOptions struct {
	Most    int    // rows a part; default 1.25 times the mean
	Rounds  int    // of Refine
	Threads int    // default GOMAXPROCS
	Seed    uint64 // the same seed and rows give the same parts
}

func (o DivideOptions) most(rows, parts int) int {
	if o.Most > 0 {
		return o.Most
	}
	return rows*5/(4*parts) + 1
}

// Divide divides rows into parts of bounded size that cut few neighbourhoods, given some near neighbours of each row.
// It starts from k-means and refines that. With the centroids of TrainRouter, the parts nearest to a query hold more of
// its neighbours than clusters of k-means do, of which the largest are two or three times the mean.
func Divide(ctx context.Context, rows vector.Matrix, n Neighbors, parts int, o DivideOptions) (*Partition, error) {
	c, err := KMeans(ctx, rows, parts, KMeansOptions{Threads: o.Threads, Seed: o.Seed})
	if err != nil {
		return nil, err
	}
	of := make([]uint32, parts)
	for i := range of {
		of[i] = uint32(i)
	}
	r, err := NewRouter(c, of, parts)
	if err != nil {
		return nil, err
	}
	o.Most = o.most(rows.Rows(), parts)
	p, err := r.Assign(ctx, rows, o.Most, o.Threads)
	if err != nil {
		return nil, err
	}
	return p, Refine(p, n, RefineOptions{Most: o.Most, Rounds: o.Rounds, Seed: o.Seed})
}

// Assign puts every row into the part with the nearest centroid or, if that is full, into the next that has room. No
// part gets more than most rows. If threads is 0 it uses GOMAXPROCS threads.
func (r *Router) Assign(ctx context.Context, rows vector.Matrix, most, threads int) (*Partition, error) {
	if rows.Dim() != r.c.Dim() {
		return nil, fmt.Errorf("cluster: %w: rows of %d values, centroids of %d", vector.ErrDim, rows.Dim(), r.c.Dim())
	}
	width := min(choicesOf, r.parts)
	choices, distance := make([]uint32, rows.Rows()*width), make([]float32, rows.Rows()*width)
	err := inBlocks(ctx, rows.Rows(), threads, func() (func(lo, hi int), error) {
		f, err := r.NewFinder()
		if err != nil {
			return nil, err
		}
		return func(lo, hi int) {
			for i := lo; i < hi; i++ {
				rows.Decode(i, f.scan.scorer.Query())
				f.find()
				for j := range width {
					route := f.routes[min(j, len(f.routes)-1)] // parts without rows have no centroids
					choices[i*width+j], distance[i*width+j] = route.Part, route.Distance
				}
			}
		}, nil
	})
	if err != nil {
		return nil, err
	}
	return Fill(choices, distance, width, r.parts, most)
}
