package shard

import (
	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/vector"
)

// rowRoutes finds the shards for rows that an index gets.
type rowRoutes struct {
	x      *Index
	query  []float32 // a row; of Dim values
	sizes  []int     // rows of each shard
	finder finder
}

func newRowRoutes(x *Index, sizes []int) *rowRoutes {
	return &rowRoutes{x: x, query: make([]float32, x.Dim()), sizes: sizes}
}

// of returns the shards for a row, at least one, and the number of them that a query equal to the row searches.
func (r *rowRoutes) of(rows vector.Matrix, row int) (routes []route, probes int, err error) {
	x := r.x
	if x.router == nil { // every query searches all shards
		smallest := 0
		for i, n := range r.sizes {
			if n < r.sizes[smallest] {
				smallest = i
			}
		}
		for i := range r.sizes {
			routes = append(routes, route{part: uint32((smallest + i) % len(r.sizes))})
		}
		return routes, len(routes), nil
	}
	rows.Decode(row, r.query)
	if x.metric == vector.Cosine {
		vector.Normalize(r.query)
	}
	if routes, err = x.router.find(&r.finder, r.query, 2); err != nil {
		return nil, 0, err
	}
	return routes, holding(routes, x.router.massFor(request.DefaultShare)), nil
}
