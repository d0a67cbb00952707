package cluster

import (
	"cmp"
	"errors"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/internal/wordnet"
	"github.com/shale-search/shale/vector"
)

const none = 1 << 31 // past any row

// realRows are some embeddings, the last of which serve as queries, with the 10 nearest of each among the others.
func realRows(t *testing.T, n, asked int) (rows vector.Matrix, near, wanted Neighbors, queries [][]float32) {
	t.Helper()
	all, err := wordnet.Vectors()
	if err != nil {
		t.Fatal(err)
	}
	dim := all.Dim()
	data := make([]float32, n*dim)
	for i := range n {
		all.Decode(i*all.Rows()/n, data[i*dim:(i+1)*dim])
	}
	kept := make([]float32, 0, n*dim)
	for i := range n {
		row := data[i*dim : (i+1)*dim]
		if len(queries) < asked && i%(n/asked) == 0 {
			queries = append(queries, row)
		} else {
			kept = append(kept, row...)
		}
	}
	rows = matrix(t, kept, dim)
	find := func(query []float32, not int) []uint32 {
		s, err := score.New(rows, vector.L2, nil)
		if err != nil {
			t.Fatal(err)
		}
		ids, dist := make([]uint32, rows.Rows()), make([]float32, rows.Rows())
		for i := range ids {
			ids[i] = uint32(i)
		}
		copy(s.Query(), query)
		s.BindOwn()
		s.Score(ids, dist)
		slices.SortFunc(ids, func(a, b uint32) int { return cmp.Compare(dist[a], dist[b]) })
		return slices.DeleteFunc(ids[:11], func(id uint32) bool { return int(id) == not })[:10]
	}
	near.K, wanted.K = 10, 10
	for i := range rows.Rows() {
		near.Of = append(near.Of, find(vector.Row[float32](rows, i), i)...)
	}
	for _, q := range queries {
		wanted.Of = append(wanted.Of, find(q, -1)...)
	}
	return rows, near, wanted, queries
}

// share is how many of the wanted rows lie in the first parts that a router probes.
func share(t *testing.T, rows vector.Matrix, p *Partition, second []uint32, wanted Neighbors,
	queries [][]float32, probes int) float64 {
	t.Helper()
	r, err := TrainRouter(t.Context(), rows, p, 32, KMeansOptions{Rounds: 8})
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.NewFinder()
	if err != nil {
		t.Fatal(err)
	}
	hits := 0
	for i, q := range queries {
		routes, err := f.Find(q)
		if err != nil {
			t.Fatal(err)
		}
		in := make([]bool, p.Parts)
		for _, route := range routes[:probes] {
			in[route.Part] = true
		}
		for _, id := range wanted.of(i) {
			if in[p.Of[id]] || second != nil && in[second[id]] {
				hits++
			}
		}
	}
	return float64(hits) / float64(len(wanted.Of))
}

// On real rows the parts are even and cut fewer neighbours apart than parts that know nothing of neighbours; the few
// that are nearest to a query hold most of its neighbours, and more with a second copy.
func TestDivideKeepsNeighboursTogether(t *testing.T) {
	const parts, probes = 16, 3
	rows, near, wanted, queries := realRows(t, 3000, 300)
	p, err := Divide(t.Context(), rows, near, parts, DivideOptions{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if sizes := p.Sizes(); slices.Max(sizes) > rows.Rows()*13/(10*parts) {
		t.Errorf("parts of %v, of %d rows in all", sizes, rows.Rows())
	}
	plain, err := Divide(t.Context(), rows, Neighbors{K: 1, Of: slices.Repeat([]uint32{none}, rows.Rows())},
		parts, DivideOptions{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	home, _, err := SecondHome(p, near)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d neighbours are cut off, unrefined %d", cut(p, near), len(near.Of), cut(plain, near))
	if refined, unrefined := cut(p, near), cut(plain, near); 10*refined > 9*unrefined {
		t.Errorf("%d neighbours are cut off, %d unrefined", refined, unrefined)
	}
	once, twice := share(t, rows, p, nil, wanted, queries, probes), share(t, rows, p, home, wanted, queries, probes)
	if once < 0.8 || twice < 0.9 {
		t.Errorf("of %d parts %d hold %.3f of the neighbours, with second copies %.3f", parts, probes, once, twice)
	}
	again, err := Divide(t.Context(), rows, near, parts, DivideOptions{Seed: 1, Threads: 1})
	if err != nil || !slices.Equal(again.Of, p.Of) {
		t.Errorf("the same seed gives other parts, %v", err)
	}
}

func TestAssignKeepsToTheSizes(t *testing.T) {
	data, at := blobs(400, 6, 4, 8)
	rows := matrix(t, data, 6)
	flat := slices.Concat(at...)
	c, err := NewCentroids(flat, 6)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRouter(c, []uint32{0, 1, 1, 3}, 5) // parts 2 and 4 have no centroids
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Assign(t.Context(), rows, 400, 0)
	if err != nil || !slices.Equal(p.Sizes(), []int{100, 200, 0, 100, 0}) {
		t.Errorf("parts of %v, %v", p, err)
	}
	if p, err = r.Assign(t.Context(), rows, 90, 0); err != nil || slices.Max(p.Sizes()) > 90 {
		t.Errorf("parts of %v, %v", p, err)
	}
	if _, err := r.Assign(t.Context(), rows, 79, 0); err == nil {
		t.Error("400 rows fit 5 parts of 79")
	}
	if _, err := r.Assign(t.Context(), matrix(t, data, 3), 400, 0); !errors.Is(err, vector.ErrDim) {
		t.Errorf("rows of another dimension give %v", err)
	}
}
