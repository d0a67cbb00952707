package shard

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// TestLastOfALabelIsBuilt: of rows with one label the last is in the index, in all shards together once, or as
// often as there are copies of it.
func TestLastOfALabelIsBuilt(t *testing.T) {
	race.SkipSequential(t)
	const n, dim = 1500, 8
	rows := clustered(n, dim, 5)
	rnd := rand.New(rand.NewPCG(3, 3))
	few, one := make([]uint64, n), make([]uint64, n)
	for i := range n {
		few[i], one[i] = uint64(rnd.IntN(n/3)), uint64(i)
	}
	one[n-1] = 0
	for name, labels := range map[string][]uint64{"few": few, "one": one} {
		last := map[uint64]int{}
		for i, l := range labels {
			last[l] = i
		}
		for _, o := range []BuildOptions{
			{Shards: 1}, {Shards: 4}, {Shards: 4, Copies: 1.5}, {Shards: 3, Memory: 128 << 20},
		} {
			before := slices.Clone(labels)
			o.Config, o.Labels = hnsw.Config{M: 6, EfConstruction: 30}, labels
			x := opened(t, built(t, rows, o), OpenOptions{})
			if !slices.Equal(labels, before) {
				t.Fatalf("%s, %d shards: the caller's labels are changed", name, o.Shards)
			}
			if errs := x.CheckLabels(); x.Len() != len(last) || len(errs) > 0 {
				t.Errorf("%s, %d shards: %d rows of %d labels, %v", name, o.Shards, x.Len(), len(last), errs)
			}
			err := x.EachVector(context.Background(), func(labels []uint64, block vector.Matrix) error {
				for i, l := range labels {
					want := make([]float32, dim)
					rows.Decode(last[l], want)
					if !slices.Equal(vector.Row[float32](block, i), want) {
						t.Errorf("%s, %d shards: label %d isn't its last row", name, o.Shards, l)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestBuildRefusesTheLastLabel(t *testing.T) {
	o := BuildOptions{Labels: []uint64{1, search.NoLabel, 2}, Shards: 2}
	err := Build(context.Background(), MatrixSource(clustered(3, 4, 1), "rows"), filepath.Join(t.TempDir(), "index"), o)
	if !errors.Is(err, hnsw.ErrNoLabel) {
		t.Errorf("got %v", err)
	}
}
