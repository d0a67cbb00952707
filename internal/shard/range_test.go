package shard

import (
	"testing"

	"github.com/shale-search/shale/internal/labelset"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// TestRange: whatever of the index lies on disk, all rows within the radius are found, each once.
func TestRange(t *testing.T) {
	t.Parallel()
	const n, dim = 6000, 24
	rows, queries := clustered(n, dim, 3), clustered(4, dim, 3)
	dir := built(t, rows, BuildOptions{Config: codes2(vector.L2), Shards: 2, Copies: 1.5, Blocks: true})
	memory := opened(t, dir, OpenOptions{}).Plan().MemoryBytes
	even := search.FilterFunc(func(label uint64) bool { return label%2 == 0 })
	for name, open := range map[string]OpenOptions{
		"memory": {}, "mapped": {Mapped: true}, "rows on disk": {Memory: memory - 1}, "links on disk": codesOnly(t, dir, 0),
	} {
		x := opened(t, dir, open)
		if p := x.Plan(); p.RowsOnDisk != (open.Memory > 0) || p.LinksOnDisk != (name == "links on disk") {
			t.Fatalf("%s: %v", name, p)
		}
		for q := range queries.Rows() {
			if race.Enabled && q != 2 {
				continue // the others have fewer goroutines, or as many
			}
			query := vector.Row[float32](queries, q)
			for _, filter := range []*search.Filter{nil, even} {
				var stats search.Stats
				o := search.Options{Ef: n, Probes: 2, Threads: 1 + q%3, Filter: filter, Stats: &stats}
				allowed := func(l uint64) bool { return filter == nil || (*labelset.Set)(filter).Contains(l) }
				truth := nearest(rows, vector.L2, query, n, allowed)
				for _, wanted := range []int{1, 150, 900} {
					if race.Enabled && wanted > 150 {
						continue
					}
					radius := (truth[wanted-1].Distance + truth[wanted].Distance) / 2
					found, err := x.Range(query, radius, n, o)
					if err != nil {
						t.Fatal(err)
					}
					if len(found) != wanted || hits(found, truth[:wanted]) != wanted {
						t.Fatalf("%s, query %d: %d rows within %v, want %d", name, q, len(found), radius, wanted)
					}
					few, err := x.Range(query, radius, 7, o)
					if err != nil || len(few) != min(7, wanted) || hits(few, truth[:min(7, wanted)]) != len(few) {
						t.Fatalf("%s, query %d: %d rows of at most 7, %v", name, q, len(few), err)
					}
					if stats.Probes < 2 || stats.Reads > 0 != (open.Memory > 0) {
						t.Fatalf("%s: %+v", name, stats)
					}
				}
			}
		}
	}
}
