package collection

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/shale-search/shale/vector"
)

// TestFilteredRecall searches with filters that half of the documents satisfy, down to one in ten thousand, and
// compares with an exact search: in segments in files and in memory, with an index and without.
func TestFilteredRecall(t *testing.T) {
	const n, dim, queries, k = 20_000, 16, 20, 10
	s := Schema{Vectors: []Vector{{Dim: dim, Metric: vector.L2}}, Indexes: []PayloadIndex{{"share", Keyword}}}
	c := created(t, s, Options{SegmentRows: 8000})

	rnd := rand.New(rand.NewPCG(3, 3))
	centres := make([][]float32, 50)
	for i := range centres {
		centres[i] = randomPoint(rnd, dim, 3)
	}
	point := func() []float32 {
		v := randomPoint(rnd, dim, 1)
		for i, x := range centres[rnd.IntN(len(centres))] {
			v[i] += x
		}
		return v
	}
	shares := []struct {
		name string
		each int // one document in so many
	}{{"50 %", 2}, {"10 %", 10}, {"1 %", 100}, {"0.1 %", 1000}, {"0.01 %", 10_000}}
	for i := range n / 1000 {
		var batch []Document
		for j := range 1000 {
			at, names := 1000*i+j, []string{}
			for _, s := range shares {
				if (at*7919)%s.each == 0 {
					names = append(names, s.name)
				}
			}
			batch = append(batch, Document{
				ID: NumberID(uint64(at)), Vector: point(),
				Payload: []byte(`{"share":` + text(t, names) + `,"also":` + text(t, names) + `}`),
			})
		}
		mustUpsert(t, c, batch...)
		if i == n/1000*3/4 {
			if err := c.Seal(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	near := make([][]float32, queries)
	for i := range near {
		near[i] = point()
	}
	for _, share := range shares {
		for _, field := range []string{"share", "also"} {
			t.Run(fmt.Sprint(share.name, " by ", field), func(t *testing.T) {
				f := Equal(field, share.name)
				var stats QueryStats
				truth := mustQuery(t, c, Query{Near: near, K: k, Filter: f, Exact: true})
				found := mustQuery(t, c, Query{Near: near, K: k, Filter: f, Stats: &stats})
				hits, want := 0, 0
				for i := range near {
					for _, h := range truth[i] {
						want++
						if slices.ContainsFunc(found[i], func(x Hit) bool { return x.ID == h.ID }) {
							hits++
						}
					}
				}
				if want != queries*min(k, n/share.each) {
					t.Errorf("the exact search finds %d documents for %d queries", want, queries)
				}
				if recall := float64(hits) / float64(want); recall < 0.97 {
					t.Errorf("recall@%d is %.3f", k, recall)
				}
				if indexed := field == "share"; indexed != (len(stats.Scanned) == 0) || indexed && stats.Allowed != n/share.each {
					t.Errorf("the query says %+v", stats)
				}
			})
		}
	}
}

func randomPoint(rnd *rand.Rand, dim int, scale float64) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(scale * rnd.NormFloat64())
	}
	return v
}
