package shard

import (
	"context"
	"slices"

	"github.com/shale-search/shale/hnsw"
	"github.com/shale-search/shale/store/manifest"
	"github.com/shale-search/shale/vector"
)

// shares are those that measureReach finds the reach for.
var shares = []float64{0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995}

// reachNeighbors is how many nearest rows count.
const reachNeighbors = 10

// measureReach finds, by the rows held out, how far queries must look for a share of their neighbours. Their neighbours are
// those in the sample: of the whole, a query's are nearer, and lie in fewer shards.
func (b *builder) measureReach(ctx context.Context, d *division) ([]manifest.Reach, error) {
	if len(d.held) == 0 || b.parts == 1 {
		return nil, nil
	}
	dim := b.src.Dim()
	rows, err := vector.Of(d.held, dim)
	if err != nil {
		return nil, err
	}
	found, err := d.sample.SearchBatch(ctx, rows, reachNeighbors, hnsw.BatchSearchOptions{
		SearchOptions: hnsw.SearchOptions{Ef: 4 * reachNeighbors}, Threads: b.o.Threads,
	})
	if err != nil {
		return nil, err
	}
	var f finder
	var at []float32 // how far each neighbour is: the least reach that includes its shard
	var all [][]route
	query := make([]float32, dim)
	for i := range rows.Rows() {
		rows.Decode(i, query)
		if b.o.Config.Metric == vector.Cosine {
			vector.Normalize(query)
		}
		routes, err := d.router.find(&f, query, min(16, b.parts))
		if err != nil {
			return nil, err
		}
		all = append(all, slices.Clone(routes))
		for _, n := range found.Labels[i*found.K : i*found.K+found.Counts[i]] {
			at = append(at, d.reachOf(routes, n))
		}
	}
	slices.Sort(at)
	reach := make([]manifest.Reach, 0, len(shares))
	for _, share := range shares {
		w := at[min(int(share*float64(len(at))), len(at)-1)]
		if w == unreached || len(reach) > 0 && w <= reach[len(reach)-1].Within {
			continue
		}
		probes := 0
		for _, routes := range all {
			probes += within(routes, w)
		}
		reach = append(reach, manifest.Reach{Share: share, Within: w, Probes: float64(probes) / float64(len(all))})
	}
	return reach, nil
}

// unreached is the reach of what lies in no shard found.
const unreached = 1e30

// reachOf is how far to look along routes for a row of the sample.
func (d *division) reachOf(routes []route, row uint64) float32 {
	first := routes[0].distance
	for _, r := range routes {
		if r.part == d.p.Of[row] || d.second != nil && r.part == d.second[row] {
			return (r.distance - first) / max(first, -first, 1e-30)
		}
	}
	return unreached
}
