package shard

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/vector"
)

// Calibration is what shares are worth for a set of queries. A build measures shares by some of its rows, and holds
// for queries that are like them.
type Calibration struct {
	x       *Index
	Queries int
	Reach   []manifest.Reach // by these queries
	at      []float32        // the mass with which each true neighbour's shard is included, sorted
}

// Calibrate measures by the true neighbours of queries what mass of votes they must look for to find a share of these.
// The index stays as it is: see Apply. Of an index without routing it returns nil.
func (x *Index) Calibrate(ctx context.Context, queries vector.Matrix, truth [][]uint64) (*Calibration, error) {
	x.using.RLock()
	defer x.using.RUnlock()
	if x.router == nil || len(x.parts) < 2 {
		return nil, nil
	}
	if len(truth) != queries.Rows() || queries.Dim() != x.Dim() {
		return nil, fmt.Errorf("shard: true neighbours of %d queries for %d of %d values",
			len(truth), queries.Rows(), queries.Dim())
	}
	parts, err := x.partsOf(truth)
	if err != nil {
		return nil, err
	}
	c := &Calibration{x: x, Queries: queries.Rows()}
	var f finder
	var all [][]route
	query := make([]float32, x.Dim())
	for q, labels := range truth {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		queries.Decode(q, query)
		if x.metric == vector.Cosine {
			vector.Normalize(query)
		}
		routes, err := x.router.find(&f, query, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, slices.Clone(routes))
		always := slices.Clone(routes)
		always = append(always[:f.together(always, 0)], route{part: uint32(len(x.parts))}) // the growing segment
		for _, label := range labels {
			c.at = append(c.at, massToAny(routes, always, parts[label]))
		}
	}
	if len(c.at) == 0 {
		return nil, errors.New("shard: no true neighbours are known")
	}
	slices.Sort(c.at)
	c.Reach = reachOf(c.at, all)
	return c, nil
}

// partsOf finds the shards of the labels in truth.
func (x *Index) partsOf(truth [][]uint64) (map[uint64][]uint32, error) {
	parts := map[uint64][]uint32{}
	for _, labels := range truth {
		for _, l := range labels {
			parts[l] = nil
		}
	}
	for i, p := range x.all() {
		labels, err := p.Labels()
		if err != nil {
			return nil, x.ofPart(i, err)
		}
		for _, l := range labels {
			if in, ok := parts[l]; ok {
				parts[l] = append(in, uint32(i))
			}
		}
	}
	return parts, nil
}

// massToAny returns the least mass that a query must look for along routes to come to one of the shards. A search looks
// into the shards of always whatever the mass.
func massToAny(routes, always []route, shards []uint32) float32 {
	in := func(r route) bool { return slices.Contains(shards, r.part) }
	if slices.ContainsFunc(always, in) {
		return math.Nextafter32(0, 2)
	}
	before := float32(0)
	for _, r := range routes {
		if in(r) {
			return math.Nextafter32(before, 2)
		}
		before += r.mass
	}
	return unreached
}

// Held returns the share of the queries' true neighbours that lies in the shards that searches look into when they ask
// for a share.
func (c *Calibration) Held(share float64) float64 {
	c.x.using.RLock()
	defer c.x.using.RUnlock()
	if share == 0 {
		share = request.DefaultShare
	}
	n, _ := slices.BinarySearch(c.at, math.Nextafter32(c.x.router.massFor(share), 2))
	return float64(n) / float64(len(c.at))
}

// Apply lets searches look into as many shards as c says that a share asks for.
func (c *Calibration) Apply() {
	x := c.x
	x.using.Lock()
	defer x.using.Unlock()
	x.router.reach = c.Reach
	routing := *x.m.Routing
	routing.Reach, routing.Queries = c.Reach, c.Queries
	x.m.Routing = &routing
}
