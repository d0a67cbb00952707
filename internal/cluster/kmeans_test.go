package cluster

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/vector"
)

func TestAssignTakesTheNearest(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	const n, dim, k = 700, 19, 37
	data, points := make([]float32, n*dim), make([]float32, k*dim)
	for _, d := range [][]float32{data, points} {
		for i := range d {
			d[i] = float32(rnd.IntN(9) - 4) // distances are exact and often tie
		}
	}
	c, err := NewCentroids(points, dim)
	if err != nil {
		t.Fatal(err)
	}
	for _, threads := range []int{0, 1, 3} {
		nearest, distance := make([]uint32, n), make([]float32, n)
		if err := c.Assign(t.Context(), matrix(t, data, dim), threads, nearest, distance); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			want, least := 0, math.Inf(1)
			for j := range k {
				if d := squared(data[i*dim:(i+1)*dim], points[j*dim:(j+1)*dim]); d < least {
					want, least = j, d
				}
			}
			if int(nearest[i]) != want || float64(distance[i]) != least {
				t.Fatalf("row %d: %d at %v, not %d at %v", i, nearest[i], distance[i], want, least)
			}
		}
	}
}

// Groups that lie far from each other get a centroid each, at their mean.
func TestKMeansFindsGroups(t *testing.T) {
	const n, dim, k = 2000, 24, 12
	data, _ := blobs(n, dim, k, 3)
	rows := matrix(t, data, dim)
	c, err := KMeans(t.Context(), rows, k, KMeansOptions{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	nearest, distance := make([]uint32, n), make([]float32, n)
	if err := c.Assign(t.Context(), rows, 0, nearest, distance); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if nearest[i] != nearest[i%k] {
			t.Fatalf("row %d has centroid %d, row %d of its group has %d", i, nearest[i], i%k, nearest[i%k])
		}
		if i < k && slices.Contains(nearest[:i], nearest[i]) {
			t.Fatalf("two groups share centroid %d", nearest[i])
		}
	}
	for g := range k {
		mean := make([]float32, dim)
		for i := g; i < n; i += k {
			for j, v := range data[i*dim : (i+1)*dim] {
				mean[j] += v / float32((n-g+k-1)/k)
			}
		}
		if d := squared(mean, c.at(int(nearest[g]))); d > 1e-6 {
			t.Errorf("the centroid of group %d is off its mean by %v", g, d)
		}
	}
}

func TestKMeansRepeatsItself(t *testing.T) {
	data, _ := blobs(900, 8, 30, 5)
	run := func(threads int) []float32 {
		c, err := KMeans(t.Context(), matrix(t, data, 8), 20, KMeansOptions{Seed: 7, Threads: threads, Sample: 10})
		if err != nil {
			t.Fatal(err)
		}
		return c.data
	}
	if one := run(1); !slices.Equal(one, run(1)) || !slices.Equal(one, run(4)) {
		t.Error("the same seed gives other centroids")
	}
}

func TestKMeansTakesOddRows(t *testing.T) {
	same := make([]float32, 50*4)
	for i := range same {
		same[i] = 3
	}
	for name, c := range map[string]struct {
		data []float32
		k    int
	}{
		"more centroids than rows": {[]float32{1, 2, 3, 4, 5, 6, 7, 8}, 5},
		"equal rows":               {same, 8},
		"one":                      {same, 1},
		"huge":                     {[]float32{1e18, 0, 0, 0, -1e18, 0, 0, 0}, 2},
	} {
		got, err := KMeans(t.Context(), matrix(t, c.data, 4), c.k, KMeansOptions{})
		if err != nil || got.Len() != c.k || !floats.Finite(got.data) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestKMeansRefuses(t *testing.T) {
	good, nan := []float32{1, 2, 3, 4}, []float32{1, float32(math.NaN()), 3, 4}
	for name, c := range map[string]struct {
		data []float32
		k    int
	}{"no centroids": {good, 0}, "no rows": {nil, 1}, "NaN": {nan, 2}} {
		if _, err := KMeans(t.Context(), matrix(t, c.data, 2), c.k, KMeansOptions{}); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := KMeans(stopped, matrix(t, good, 2), 2, KMeansOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a stopped search for centroids gives %v", err)
	}
	c, err := NewCentroids(good, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Assign(t.Context(), matrix(t, good, 4), 1, make([]uint32, 1),
		make([]float32, 1)); !errors.Is(err, vector.ErrDim) {
		t.Errorf("rows of another dimension give %v", err)
	}
	if _, err := NewCentroids(nan, 2); err == nil {
		t.Error("a centroid of NaN is taken")
	}
}
