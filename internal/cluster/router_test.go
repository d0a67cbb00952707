package cluster

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/shale-search/shale/vector"
)

func TestFindOrdersPartsByTheirNearestCentroid(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 4))
	const dim, parts = 5, 9
	var data []float32
	var of []uint32
	for part := range uint32(parts) {
		for range rnd.IntN(5) { // some have none
			for range dim {
				data = append(data, float32(rnd.IntN(7)))
			}
			of = append(of, part)
		}
	}
	c, err := NewCentroids(data, dim)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRouter(c, of, parts)
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.NewFinder()
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		q := make([]float32, dim)
		for j := range q {
			q[j] = float32(rnd.IntN(7))
		}
		least := map[uint32]float64{}
		for i, part := range of {
			d := squared(q, data[i*dim:(i+1)*dim])
			if old, ok := least[part]; !ok || d < old {
				least[part] = d
			}
		}
		var want []Route
		for part, d := range least {
			want = append(want, Route{part, float32(d)})
		}
		slices.SortFunc(want, func(a, b Route) int {
			return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Part, b.Part))
		})
		got, err := f.Find(q)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%v: %v, %v; not %v", q, got, err, want)
		}
	}
	if _, err := f.Find(make([]float32, dim+1)); !errors.Is(err, vector.ErrDim) {
		t.Errorf("a query of another dimension gives %v", err)
	}
	if n := testing.AllocsPerRun(50, func() { _, _ = f.Find(data[:dim]) }); n > 0 {
		t.Errorf("Find allocates %v times", n)
	}
}

// A part of two groups far from each other is found by both, which its mean would not be.
func TestTrainRouterKnowsPartsThatAreNotRound(t *testing.T) {
	const n, dim, groups = 1200, 16, 8
	data, at := blobs(n, dim, groups, 6)
	rows := matrix(t, data, dim)
	p := &Partition{Parts: groups / 2, Of: make([]uint32, n)}
	for i := range p.Of {
		p.Of[i] = uint32(i % groups % (groups / 2))
	}
	r, err := TrainRouter(t.Context(), rows, p, 4, KMeansOptions{Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.NewFinder()
	if err != nil {
		t.Fatal(err)
	}
	for g, center := range at {
		got, err := f.Find(center)
		if err != nil || len(got) != groups/2 || int(got[0].Part) != g%(groups/2) {
			t.Errorf("the center of group %d leads to %v, %v", g, got, err)
		}
	}
}

func TestRoutersRefuse(t *testing.T) {
	c, err := NewCentroids([]float32{1, 2, 3, 4}, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range [][]uint32{{0}, {0, 2}, {1, 0}, {0, math.MaxUint32}} {
		if _, err := NewRouter(c, of, 2); err == nil {
			t.Errorf("centroids of parts %v are taken", of)
		}
	}
	if _, err := TrainRouter(t.Context(), c.Points(), &Partition{Parts: 1, Of: make([]uint32, 3)}, 2,
		KMeansOptions{}); err == nil {
		t.Error("a partition of other rows is taken")
	}
}
