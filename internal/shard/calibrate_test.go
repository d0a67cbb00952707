package shard

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// TestCalibrate: what a calibration says that shards hold is what they hold; after SetReach, a share holds for the
// queries that it was measured on, though they are unlike the rows.
func TestCalibrate(t *testing.T) {
	race.SkipSequential(t)
	const dim, k = 16, 10
	rows := clustered(6000, dim, 7)
	x := opened(t, built(t, rows, BuildOptions{Config: hnsw.Config{M: 8}, Shards: 12}), OpenOptions{})
	random := rand.New(rand.NewPCG(3, 4))
	data := make([]float32, 200*dim)
	for i := range data {
		data[i] = float32(random.NormFloat64() * 3)
	}
	queries := must(vector.Of(data, dim))
	truth := make([][]uint64, queries.Rows())
	for q := range truth {
		for _, n := range nearest(rows, vector.L2, vector.Row[float32](queries, q), k, func(uint64) bool { return true }) {
			truth[q] = append(truth[q], n.Label)
		}
	}
	// held searches the shards that a share asks for to the end, and counts what it finds.
	held := func(share float64) float64 {
		found := 0
		for q := range truth {
			got := must(x.SearchInto(nil, vector.Row[float32](queries, q), k, search.Options{
				Share: share, Ef: 6000, Independent: true,
			}))
			for _, n := range got {
				for _, l := range truth[q] {
					if n.Label == l {
						found++
					}
				}
			}
		}
		return float64(found) / float64(len(truth)*k)
	}
	c := must(x.Calibrate(context.Background(), queries, truth))
	for _, share := range []float64{0.8, 0.98} {
		if said, is := c.Held(share), held(share); math.Abs(said-is) > 1e-9 {
			t.Errorf("by the build's rows, %v holds %v, told %v", share, is, said)
		}
	}
	c.Apply()
	for _, p := range c.Reach {
		said := c.Held(p.Share)
		if said < p.Share {
			t.Errorf("measured on these queries, %v holds %v", p.Share, said)
		}
		if is := held(p.Share); math.Abs(said-is) > 1e-9 {
			t.Errorf("%v holds %v, told %v", p.Share, is, said)
		}
	}
	if len(c.Reach) == 0 || x.Manifest().Routing.Queries != 200 {
		t.Errorf("%+v", x.Manifest().Routing)
	}
	if _, err := x.Calibrate(context.Background(), queries, truth[:3]); err == nil {
		t.Error("the truth of other queries")
	}
}
