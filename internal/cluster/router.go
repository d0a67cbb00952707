package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/shale-search/shale/vector"
)

// Router finds the parts in which a query's neighbours probably are. Each part has many centroids of its rows, and the
// part with the nearest centroid comes first. A single centroid would describe parts that aren't round badly.
type Router struct {
	parts int
	of    []uint32 // the part of each centroid
	c     *Centroids
}

// NewRouter returns a router of centroids and the part of each. Centroids of a part follow each other, part after part.
func NewRouter(c *Centroids, of []uint32, parts int) (*Router, error) {
	if len(of) != c.Len() {
		return nil, fmt.Errorf("cluster: %d centroids, parts for %d", c.Len(), len(of))
	}
	for i, p := range of {
		if int64(p) >= int64(parts) {
			return nil, fmt.Errorf("cluster: centroid %d is of part %d, of %d", i, p, parts)
		}
		if i > 0 && p < of[i-1] {
			return nil, fmt.Errorf("cluster: centroid %d is of part %d, the one before of %d", i, p, of[i-1])
		}
	}
	return &Router{parts: parts, of: of, c: c}, nil
}

// TrainRouter finds up to each centroids for every part of a partition of rows.
func TrainRouter(ctx context.Context, rows vector.Matrix, p *Partition, each int, o KMeansOptions) (*Router, error) {
	if rows.Rows() != len(p.Of) {
		return nil, fmt.Errorf("cluster: a partition of %d rows for %d", len(p.Of), rows.Rows())
	}
	var data []float32
	var of []uint32
	dim := rows.Dim()
	members := make([][]int, p.Parts)
	for i, part := range p.Of {
		members[part] = append(members[part], i)
	}
	for part, ids := range members {
		if len(ids) == 0 {
			continue
		}
		own := make([]float32, len(ids)*dim)
		for i, id := range ids {
			rows.Decode(id, own[i*dim:(i+1)*dim])
		}
		m, err := vector.Of(own, dim)
		if err != nil {
			return nil, err
		}
		c, err := KMeans(ctx, m, min(each, len(ids)), o)
		if err != nil {
			return nil, fmt.Errorf("part %d: %w", part, err)
		}
		data = append(data, c.data...)
		for range c.Len() {
			of = append(of, uint32(part))
		}
	}
	c, err := NewCentroids(data, dim)
	if err != nil {
		return nil, err
	}
	return NewRouter(c, of, p.Parts)
}

// Parts returns the number of parts.
func (r *Router) Parts() int { return r.parts }

// Centroids returns the centroids of all parts.
func (r *Router) Centroids() *Centroids { return r.c }

// PartOf returns the part of each centroid. Callers must not change it.
func (r *Router) PartOf() []uint32 { return r.of }

// Route is a part and the squared distance of its nearest centroid.
type Route struct {
	Part     uint32
	Distance float32
}

// Finder finds the routes of one query after another. It isn't safe for concurrent use.
type Finder struct {
	r      *Router
	scan   *scan
	routes []Route
}

// NewFinder returns a finder.
func (r *Router) NewFinder() (*Finder, error) {
	s, err := newScan(r.c)
	if err != nil {
		return nil, err
	}
	return &Finder{r: r, scan: s, routes: make([]Route, 0, r.parts)}, nil
}

// Find returns the parts that have rows, ordered by the distance of their nearest centroids from query, which has Dim
// values. The result is valid until the next call.
func (f *Finder) Find(query []float32) ([]Route, error) {
	if len(query) != f.r.c.Dim() {
		return nil, fmt.Errorf("%w: the query has %d values, the centroids have %d", vector.ErrDim, len(query), f.r.c.Dim())
	}
	copy(f.scan.scorer.Query(), query)
	f.find()
	return f.routes, nil
}

// find fills routes for the vector in the scan's Query.
func (f *Finder) find() {
	f.scan.score()
	f.routes = f.routes[:0]
	for i, d := range f.scan.dist {
		part := f.r.of[i]
		if n := len(f.routes); n == 0 || f.routes[n-1].Part != part {
			f.routes = append(f.routes, Route{part, d})
		} else if d < f.routes[n-1].Distance {
			f.routes[n-1].Distance = d
		}
	}
	slices.SortFunc(f.routes, func(a, b Route) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Part, b.Part))
	})
}
