package shard

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/shale-search/shale/cluster"
	"github.com/shale-search/shale/hnsw"
	"github.com/shale-search/shale/store"
	"github.com/shale-search/shale/store/manifest"
	"github.com/shale-search/shale/vector"
)

// router finds the shards nearest to a query by a graph of all shards' centroids: comparing thousands of centroids one by
// one would take longer than searching the shards.
type router struct {
	index *hnsw.Index
	parts int
	reach []manifest.Reach
}

// route is a shard and the distance of its nearest centroid.
type route struct {
	part     uint32
	distance float32
}

// finder is the memory of look-ups, one after another.
type finder struct {
	near   []hnsw.Neighbor
	routes []route
	met    []bool
}

const (
	// centroidsAtOnce is how many centroids are looked at for each shard wanted, and leastCentroids how many at least.
	centroidsAtOnce = 12
	leastCentroids  = 64
)

// find gives shards by the distance of their nearest centroids from query, nearest first: wanted of them, and more where
// their centroids come by the way. What it gives is valid until the next call.
func (r *router) find(f *finder, query []float32, wanted int) ([]route, error) {
	f.routes, f.met = f.routes[:0], slices.Grow(f.met[:0], r.parts)[:r.parts]
	clear(f.met)
	n := min(max(leastCentroids, centroidsAtOnce*wanted), r.index.Len())
	for {
		var err error
		if f.near, err = r.index.SearchInto(f.near[:0], query, n, hnsw.SearchOptions{}); err != nil {
			return nil, fmt.Errorf("route: %w", err)
		}
		for _, c := range f.near {
			if part := uint32(c.Label >> 32); !f.met[part] {
				f.met[part] = true
				f.routes = append(f.routes, route{part, c.Distance})
			}
		}
		if len(f.routes) >= wanted || len(f.near) < n || n == r.index.Len() {
			return f.routes, nil
		}
		n = min(4*n, r.index.Len())
		f.routes = f.routes[:0]
		clear(f.met)
	}
}

// within is how many of routes lie at most 1 + within times as far as the first.
func within(routes []route, within float32) int {
	n := 0
	for _, r := range routes {
		if first := routes[0].distance; r.distance > first+within*max(first, -first) {
			break
		}
		n++
	}
	return n
}

// reachFor is how far to look for a share of the true neighbours: between the measured points, in proportion.
func (r *router) reachFor(share float64) float32 {
	for i, p := range r.reach {
		if p.Share < share {
			continue
		}
		if i == 0 {
			return p.Within
		}
		before := r.reach[i-1]
		t := (share - before.Share) / (p.Share - before.Share)
		return before.Within + float32(t)*(p.Within-before.Within)
	}
	if n := len(r.reach); n > 0 {
		return 2 * r.reach[n-1].Within // beyond what was measured
	}
	return 0.25
}

// routerConfig is that of the graph of centroids.
func routerConfig(of hnsw.Config, rows int) hnsw.Config {
	c := hnsw.Config{Dim: of.Dim, Metric: routingMetric(of.Metric), Codes: of.Codes, Storage: vector.Float32, Capacity: rows}
	if of.Metric == vector.Cosine {
		c.Storage = vector.Float16
	}
	return c
}

// routingMetric is the metric by which centroids are compared with queries. Those of normalised rows are not normalised:
// a short one stands for rows that point in many directions, and is farther for it.
func routingMetric(m vector.Metric) vector.Metric {
	if m == vector.IP {
		return vector.IP
	}
	return vector.L2
}

// newRouter makes a graph of centroids.
func newRouter(ctx context.Context, c *cluster.Router, of hnsw.Config, threads int) (*router, error) {
	points := c.Centroids().Points()
	x, err := hnsw.New(routerConfig(of, points.Rows()))
	if err != nil {
		return nil, err
	}
	labels := make([]uint64, points.Rows())
	for i, part := range c.PartOf() {
		labels[i] = uint64(part)<<32 | uint64(i)
	}
	err = x.AddBatch(ctx, points, labels, hnsw.BatchOptions{Threads: threads})
	if err == nil {
		err = x.Reorder()
	}
	if err != nil {
		x.Close()
		return nil, err
	}
	return &router{index: x, parts: c.Parts()}, nil
}

// openRouter reads the routing of an index.
func openRouter(ctx context.Context, dir string, m *manifest.Manifest) (*router, error) {
	path := filepath.Join(dir, m.Routing.File)
	x, err := store.OpenIndex(ctx, path, store.Options{})
	if err != nil {
		return nil, err
	}
	r := &router{index: x, parts: len(m.Shards), reach: m.Routing.Reach}
	if err := r.check(path, m.Dim); err != nil {
		x.Close()
		return nil, err
	}
	return r, nil
}

func (r *router) check(path string, dim int) error {
	labels, err := r.index.Labels()
	if err != nil {
		return err
	}
	if len(labels) == 0 || r.index.Dim() != dim {
		return corrupt(path, "centroids", "%d of %d values, for rows of %d", len(labels), r.index.Dim(), dim)
	}
	for _, l := range labels {
		if l>>32 >= uint64(r.parts) {
			return corrupt(path, "centroids", "one is of shard %d, of %d", l>>32, r.parts)
		}
	}
	return nil
}

func (r *router) close() error { return r.index.Close() }
