package shard

import (
	"cmp"
	"context"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// clustered makes rows of dim values around some centers.
func clustered(n, dim int, seed uint64) vector.Matrix {
	rnd := rand.New(rand.NewPCG(seed, 1))
	centers := make([]float32, 40*dim)
	for i := range centers {
		centers[i] = float32(rnd.NormFloat64())
	}
	data := make([]float32, n*dim)
	for i := range n {
		c := rnd.IntN(40)
		for j := range dim {
			data[i*dim+j] = centers[c*dim+j] + 0.5*float32(rnd.NormFloat64())
		}
	}
	return must(vector.Of(data, dim))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// nearest are the k rows nearest to query, by comparing all, deleted and refused ones left out.
func nearest(rows vector.Matrix, metric vector.Metric, query []float32, k int,
	allowed func(label uint64) bool) []search.Neighbor {
	dim := rows.Dim()
	q, row := slices.Clone(query), make([]float32, dim)
	if metric == vector.Cosine {
		vector.Normalize(q)
	}
	var all []search.Neighbor
	for i := range rows.Rows() {
		if allowed != nil && !allowed(uint64(i)) {
			continue
		}
		rows.Decode(i, row)
		if metric == vector.Cosine {
			vector.Normalize(row)
		}
		var d float64
		for j := range dim {
			if metric == vector.L2 {
				d += float64(q[j]-row[j]) * float64(q[j]-row[j])
			} else {
				d -= float64(q[j]) * float64(row[j])
			}
		}
		if metric != vector.L2 {
			d++
		}
		all = append(all, search.Neighbor{Label: uint64(i), Distance: float32(d)})
	}
	slices.SortFunc(all, func(a, b search.Neighbor) int { return cmp.Compare(a.Distance, b.Distance) })
	return all[:min(k, len(all))]
}

// hits counts the labels that are among the true ones.
func hits(found, truth []search.Neighbor) int {
	n := 0
	for _, f := range found {
		if slices.ContainsFunc(truth, func(t search.Neighbor) bool { return t.Label == f.Label }) {
			n++
		}
	}
	return n
}

// built builds an index of rows in a new directory and gives its path. One thread, unless the options say otherwise,
// builds the same index every time.
func built(t *testing.T, rows vector.Matrix, o BuildOptions) string {
	t.Helper()
	o.Threads = max(o.Threads, 1)
	dir := filepath.Join(t.TempDir(), "index")
	if err := Build(context.Background(), MatrixSource(rows, "rows"), dir, o); err != nil {
		t.Fatal(err)
	}
	return dir
}

func opened(t *testing.T, dir string, o OpenOptions) *Index {
	t.Helper()
	x, err := Open(context.Background(), dir, must(manifest.Read(dir)), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// codes2 is a configuration with codes.
func codes2(m vector.Metric) hnsw.Config {
	return hnsw.Config{Metric: m, M: 8, EfConstruction: 60, Storage: vector.Float32, Codes: hnsw.Codes{Bits: 2}}
}

// onThreads returns o for a search on the given number of threads.
func onThreads(threads int, o search.Options) search.Options {
	o.Threads = threads
	return o
}
