package shard

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"path/filepath"
	"slices"

	"github.com/shale-search/shale/internal/cluster"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// router finds the shards nearest to a query by a graph of all shards' centroids: comparing thousands of centroids one
// by one would take longer than searching the shards.
type router struct {
	index *hnsw.Reader
	close func() error
	built *hnsw.Index // set if this process built it, to be saved; nil if it was opened
	parts int
	reach []manifest.Reach
	// normal says that queries are normalised before centroids are compared with them.
	normal bool
}

// route is a shard and the estimated share of a query's neighbours that it holds.
type route struct {
	part uint32
	mass float32
}

// finder holds the memory of a look-up, for reuse by the next.
type finder struct {
	near   []search.Neighbor
	routes []route
	mass   []float32 // of each shard
}

const (
	// nearCentroids of the query vote, and more where so many shards are wanted that these might be of too few.
	nearCentroids   = 128
	centroidsAShard = 20
	// fading is the number of centroids after which a vote counts for 1/e: centroids stand for some dozen rows each, so
	// the nearest few dozen for as many as a query's neighbours are spread over. Shards in the order of their nearest
	// centroids are worse: at two copies a row the first 4 of 64 hold 0.913 of the ten nearest on GloVe-100 in place of
	// 0.924; and the distance of a shard's nearest centroid tells less of when to stop than the votes that are left.
	fading = 16
)

// find returns shards by the votes of the centroids nearest to query, most votes first: at least wanted of them, if
// there are as many. The result is valid until the next call.
func (r *router) find(f *finder, query []float32, wanted int) ([]route, error) {
	n := min(max(nearCentroids, centroidsAShard*wanted), r.index.Len())
	for {
		var err error
		if f.near, err = r.index.SearchInto(f.near[:0], query, n, search.Options{}); err != nil {
			return nil, fmt.Errorf("route: %w", err)
		}
		if f.count(r.parts); len(f.routes) >= wanted || n == r.index.Len() {
			return f.routes, nil
		}
		n = min(3*n, r.index.Len())
	}
}

// count turns the votes of the centroids found into routes.
func (f *finder) count(parts int) {
	f.routes, f.mass = f.routes[:0], slices.Grow(f.mass[:0], parts)[:parts]
	clear(f.mass)
	vote, sum := 1.0, float32(0)
	for _, c := range f.near {
		part := uint32(c.Label >> 32)
		if f.mass[part] == 0 {
			f.routes = append(f.routes, route{part: part})
		}
		f.mass[part] += float32(max(vote, 1e-30))
		sum += float32(vote)
		vote *= fade
	}
	for i := range f.routes {
		f.routes[i].mass = f.mass[f.routes[i].part] / sum
	}
	slices.SortStableFunc(f.routes, func(a, b route) int { return cmp.Compare(b.mass, a.mass) })
}

// fade is the weight of a vote relative to the vote of the centroid before it.
var fade = math.Exp(-1.0 / fading)

// holding returns the number of first routes that together hold a mass.
func holding(routes []route, mass float32) int {
	sum := float32(0)
	for i, r := range routes {
		if sum += r.mass; sum >= mass {
			return i + 1
		}
	}
	return len(routes)
}

// massFor returns the mass that must be searched to find a share of the true neighbours, interpolated linearly between
// the measured points.
func (r *router) massFor(share float64) float32 {
	before := manifest.Reach{}
	for _, p := range r.reach {
		if p.Share >= share {
			return before.Mass + float32((share-before.Share)/(p.Share-before.Share))*(p.Mass-before.Mass)
		}
		before = p
	}
	if len(r.reach) == 0 {
		return float32(share)
	}
	return before.Mass + float32((share-before.Share)/(1-before.Share))*(1-before.Mass)
}

// routerConfig returns the configuration of the graph of centroids.
func routerConfig(of hnsw.Config, rows int) hnsw.Config {
	c := hnsw.Config{Dim: of.Dim, Metric: routingMetric(of.Metric), Codes: quickCodes(of.Codes),
		Storage: vector.Float32, Capacity: rows}
	if of.Metric == vector.Cosine {
		c.Storage = vector.Float16
	}
	return c
}

// routingMetric is the metric by which centroids are compared with queries. Those of normalised rows are not
// normalised: a short one stands for rows that point in many directions, and is farther for it.
func routingMetric(m vector.Metric) vector.Metric {
	if m == vector.IP {
		return vector.IP
	}
	return vector.L2
}

// newRouter builds a graph of centroids.
func newRouter(ctx context.Context, c *cluster.Router, of hnsw.Config, threads int) (*router, error) {
	points := c.Centroids().Points()
	x, err := hnsw.New(routerConfig(of, points.Rows()))
	if err != nil {
		return nil, err
	}
	points, labels, err := different(points, c.PartOf())
	if err != nil {
		x.Close()
		return nil, err
	}
	err = x.AddBatch(ctx, points, labels, hnsw.BatchOptions{Threads: threads})
	if err == nil {
		err = x.Reorder()
	}
	if err != nil {
		x.Close()
		return nil, err
	}
	return &router{index: &x.Reader, close: x.Close, built: x, parts: c.Parts(), normal: of.Metric == vector.Cosine}, nil
}

// different leaves out centroids that are equal to others of their shard, which groups of equal rows have: they would
// be all that is near a query. It gives the others and their labels.
func different(points vector.Matrix, partOf []uint32) (vector.Matrix, []uint64, error) {
	first, repeated := make(map[uint64]int, points.Rows()), make([]bool, points.Rows())
	n := 0
	for i, part := range partOf {
		hash := maphash.Bytes(splitSeed, points.RowBytes(i)) ^ uint64(part)
		j, ok := first[hash]
		if !ok {
			first[hash] = i
		}
		if repeated[i] = ok && partOf[j] == part && bytes.Equal(points.RowBytes(i), points.RowBytes(j)); !repeated[i] {
			n++
		}
	}
	labels := make([]uint64, 0, n)
	for i, part := range partOf {
		if !repeated[i] {
			labels = append(labels, uint64(part)<<32|uint64(i))
		}
	}
	if n == points.Rows() {
		return points, labels, nil
	}
	values := make([]float32, n*points.Dim())
	for at, label := range labels {
		points.Decode(int(uint32(label)), values[at*points.Dim():])
	}
	m, err := vector.Of(values, points.Dim())
	return m, labels, err
}

// openRouter reads the routing of an index, or maps it.
func openRouter(ctx context.Context, dir string, m *manifest.Manifest, mapped bool, o store.Options) (*router, error) {
	path := filepath.Join(dir, m.Routing.File)
	r := &router{parts: len(m.Shards), reach: m.Routing.Reach}
	if mapped {
		x, err := store.OpenMapped(ctx, path, store.Options{Checked: o.Checked})
		if err != nil {
			return nil, err
		}
		r.index, r.close = &x.Reader, x.Close
	} else {
		x, err := store.OpenIndex(ctx, path, store.Options{})
		if err != nil {
			return nil, err
		}
		r.index, r.close = &x.Reader, x.Close
	}
	if err := r.check(path, m.Dim); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *router) check(path string, dim int) (err error) {
	if r.index.Faulty() {
		defer mmap.Catch(mmap.Guard(), &err)
	}
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
