package shard

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// TestShardsShareCodebooks: shards by product quantization have the same codebooks, a build that goes on finds them
// again, and searches find neighbours at the distances of rows, or at estimates where there are none, in memory and
// from disk.
func TestShardsShareCodebooks(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	rows, queries := clustered(4000, 24, 1), clustered(40, 24, 1)
	for _, keep := range []vector.Type{vector.Float32, rowtype.NoRows} {
		c := hnsw.Config{M: 8, EfConstruction: 60, Storage: keep, Codes: hnsw.Codes{Kind: quant.Product, Bits: 8}}
		dir := built(t, rows, BuildOptions{Config: c, Shards: 4})
		var shared []float32
		for i := range 4 {
			x, err := store.OpenIndex(context.Background(), filepath.Join(dir, ShardFile(i)), store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			err = x.WithImage(func(m *hnsw.Image) error {
				if i == 0 {
					shared = slices.Clone(m.Quantizer)
				}
				if !m.Coded || !slices.Equal(shared, m.Quantizer) {
					t.Errorf("shard %d has codebooks of its own", i)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			x.Close()
		}
		for _, o := range []OpenOptions{{}, {Mapped: true}} {
			x, right := opened(t, dir, o), 0
			for i := range queries.Rows() {
				query := vector.Row[float32](queries, i)
				found, err := x.SearchInto(nil, query, 10, search.Options{Probes: 4})
				if err != nil {
					t.Fatal(err)
				}
				right += hits(found, nearest(rows, vector.L2, query, 10, nil))
				for _, f := range found {
					exact := nearest(rows.Slice(int(f.Label), int(f.Label)+1), vector.L2, query, 1, nil)[0].Distance
					off := math.Abs(float64(f.Distance - exact))
					if keep == vector.Float32 && off > 1e-4 || off > 0.5*float64(exact)+1 {
						t.Fatalf("label %d at %v, it is at %v", f.Label, f.Distance, exact)
					}
				}
			}
			if recall := float64(right) / 400; recall < 0.99 && keep == vector.Float32 || recall < 0.7 {
				t.Errorf("%v, mapped %v: recall %v", keep, o.Mapped, recall)
			}
		}
	}
}
