package shard

import (
	"context"
	"math"
	"path/filepath"
	"slices"

	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

const routingFile = "routing.shale"

// shares are the shares that measureReach measures.
var shares = []float64{0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995}

// reachNeighbors is the number of nearest rows that count.
const reachNeighbors = 10

// reachEf is large because the sample's graph is built quickly, and neighbours that are easy to find are easy to route
// to.
const reachEf = 256

// measureReach finds, by the rows held out, what mass of votes queries must look for to find a share of their
// neighbours. Their neighbours are those in the sample: of the whole, a query's are nearer, and lie in fewer
// shards.
func measureReach(ctx context.Context, d *Division, threads int) ([]manifest.Reach, error) {
	if len(d.Held) == 0 || d.Shards == 1 {
		return nil, nil
	}
	dim := d.Sample.Dim()
	rows, err := vector.Of(d.Held, dim)
	if err != nil {
		return nil, err
	}
	found, err := d.Sample.SearchBatch(ctx, rows, reachNeighbors, search.Options{Ef: reachEf, Threads: threads})
	if err != nil {
		return nil, err
	}
	var f finder
	var at []float32 // the mass with which each neighbour's shard is included
	var all [][]route
	query := make([]float32, dim)
	for i := range rows.Rows() {
		rows.Decode(i, query)
		if d.Sample.Metric() == vector.Cosine {
			vector.Normalize(query)
		}
		routes, err := d.router.find(&f, query, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, slices.Clone(routes))
		for _, n := range found.Labels[i*found.K : i*found.K+found.Counts[i]] {
			at = append(at, d.massTo(routes, n))
		}
	}
	slices.Sort(at)
	return reachOf(at, all), nil
}

// WriteRouting measures how queries find their shards, and writes the centroids to dir. It returns what the
// manifest says of them, with the number of copies of a row.
func WriteRouting(
	ctx context.Context, dir string, d *Division, copies float64, threads int,
) (*manifest.Routing, error) {
	reach, err := measureReach(ctx, d, threads)
	if err != nil {
		return nil, err
	}
	if err := store.Save(ctx, filepath.Join(dir, routingFile), d.Centroids()); err != nil {
		return nil, err
	}
	file, err := manifest.Describe(dir, routingFile)
	if err != nil {
		return nil, err
	}
	file.Rows = d.Centroids().Len()
	return &manifest.Routing{Shard: file, Copies: copies, Reach: reach}, nil
}

// reachOf finds the mass for each share, given that with which each neighbour's shard is included,
// sorted, and all queries' routes.
func reachOf(at []float32, all [][]route) []manifest.Reach {
	reach := make([]manifest.Reach, 0, len(shares))
	for _, share := range shares {
		mass := at[min(int(share*float64(len(at))), len(at)-1)]
		if mass == unreached || len(reach) > 0 && mass <= reach[len(reach)-1].Mass {
			continue
		}
		probes := 0
		for _, routes := range all {
			probes += holding(routes, mass)
		}
		reach = append(reach, manifest.Reach{Share: share, Mass: mass, Probes: float64(probes) / float64(len(all))})
	}
	return reach
}

// unreached is the mass assigned to neighbours that lie in no shard found.
const unreached = 2

// massTo returns the mass that a query must search along routes to find a row of the sample.
func (d *Division) massTo(routes []route, row uint64) float32 {
	before := float32(0)
	for _, r := range routes {
		if r.part == d.Home[row] || d.Second != nil && r.part == d.Second[row] {
			return math.Nextafter32(before, 2)
		}
		before += r.mass
	}
	return unreached
}
