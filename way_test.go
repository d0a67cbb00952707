package shale_test

import (
	"path/filepath"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/rowway"
	"github.com/shale-search/shale/vector"
)

// TestWayOfARow bounds the calls between Build and the writing of a row, which only go down, and between Build and the
// graph that the row is added to.
func TestWayOfARow(t *testing.T) {
	rows, _ := rowway.Input(t)
	for _, c := range []struct {
		name   string
		shards int
		adding string // the step in which rows are added
		files  []string
	}{
		{"one.index", 1, "building", []string{location.ShardName(1), "manifest.json"}},
		{"one.shale", 1, "building", []string{"one.shale"}},
		{"several.index", 2, "building shards", []string{"part-0000", "shard-0000.shale", "routing.shale", "manifest.json"}},
	} {
		watched, steps := rowway.Watch(t), map[string]rowway.Way{}
		x, err := shale.Build(ctx, rows, shale.BuildOptions{
			Path: filepath.Join(t.TempDir(), c.name), Shards: c.shards, Metric: vector.L2, Threads: 1,
			Progress: func(step string, _, _ int) {
				if way := rowway.Here(); len(way) > len(steps[step]) {
					steps[step] = way
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Close(); err != nil {
			t.Error(err)
		}
		for _, file := range c.files {
			rowway.Check(t, c.name+", "+file, watched.Ways()[file])
		}
		rowway.Check(t, c.name+", into the graph", steps[c.adding].To("internal/hnsw:(*batch).one"))
	}
}
