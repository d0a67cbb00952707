package hnsw

import (
	"context"
	"testing"

	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// tightRows are n rows of which the first or the last few lie within a tiny ball, far away from all others.
func tightRows(n, tight, dim int, radius float32, first bool) []float32 {
	rows, noise := randomRows(n, dim, 5), randomRows(n, dim, 6)
	for i := range tight {
		at := i
		if !first {
			at = n - 1 - i
		}
		for j := range dim {
			rows[at*dim+j] = 3 + radius*noise[at*dim+j]
		}
	}
	return rows
}

func checkReach(t *testing.T, x interface {
	Len() int
	Reachable() (int, error)
	Unreachable() (int, error)
}) {
	t.Helper()
	reachable, err := x.Reachable()
	must(t, err)
	missed, err := x.Unreachable()
	must(t, err)
	if reachable != x.Len() || missed != 0 {
		t.Errorf("%d of %d elements are reached, %d live ones are not", reachable, x.Len(), missed)
	}
}

// TestTightCluster builds graphs whose links the heuristic would keep within a cluster. It compares nothing but rows
// that are found: within the cluster many are as near as rounding can tell.
func TestTightCluster(t *testing.T) {
	race.SkipSequential(t)
	const n, dim = 900, 32
	radii := []float32{1e-3, 3e-7}
	if testing.Short() {
		radii = radii[1:]
	}
	for _, c := range []Config{
		{}, {Metric: vector.Cosine}, {Metric: vector.IP}, {Codes: Codes{Bits: 2}},
		{Metric: vector.Cosine, Codes: Codes{Bits: 2}},
	} {
		for _, tight := range []int{200, 850} {
			for _, radius := range radii {
				for _, first := range []bool{true, false} {
					c.Dim = dim
					rows := tightRows(n, tight, dim, radius, first)
					x, err := New(c)
					must(t, err)
					must(t, x.AddBatch(context.Background(), matrix(t, rows, dim), nil, BatchOptions{Threads: 1}))
					checkReach(t, x)
					if c.Metric == vector.L2 {
						checkOthersFound(t, x, rows, tight, first)
					}
					must(t, x.Close())
				}
			}
		}
	}
}

// checkOthersFound searches for the rows outside of the cluster, which are their own nearest neighbours.
func checkOthersFound(t *testing.T, x *Index, rows []float32, tight int, first bool) {
	t.Helper()
	from, to, dim := 0, x.Len()-tight, x.cfg.Dim
	if first {
		from, to = tight, x.Len()
	}
	missed := 0
	for i := from; i < to; i++ {
		got, err := x.Search(rows[i*dim:(i+1)*dim], 1, search.Options{Ef: 200})
		must(t, err)
		if got[0].Label != uint64(i) {
			missed++
		}
	}
	if missed*200 > to-from {
		t.Errorf("%d of %d rows outside of a cluster of %d aren't found", missed, to-from, tight)
	}
}

// TestReachedOneByOne adds and updates rows one by one: links lead to all of them once the index is written out.
func TestReachedOneByOne(t *testing.T) {
	const n, dim = 600, 8
	rows := tightRows(n, 300, dim, 1e-5, true)
	x, err := New(Config{Dim: dim, M: 4, EfConstruction: 10})
	must(t, err)
	defer x.Close()
	for i := range n {
		must(t, x.Add(uint64(i), rows[i*dim:(i+1)*dim], AddOptions{}))
	}
	for i := range n / 3 {
		must(t, x.Add(uint64(2*i), rows[(n-1-i)*dim:(n-i)*dim], AddOptions{}))
	}
	must(t, x.WithImage(func(m *Image) error { return m.Check() }))
	checkReach(t, x)
	f, err := x.Freeze()
	must(t, err)
	defer f.Close()
	checkReach(t, f)
}

// TestUnreachableCounted cuts the links to some elements, of which one is marked deleted.
func TestUnreachableCounted(t *testing.T) {
	const n, dim = 200, 8
	x, err := New(Config{Dim: dim})
	must(t, err)
	defer x.Close()
	must(t, x.AddBatch(context.Background(), matrix(t, randomRows(n, dim, 1), dim), nil, BatchOptions{Threads: 1}))
	g, entry := x.graph.Load(), uint32(x.entry.Load())
	lost := []uint32{(entry + 1) % n, (entry + 2) % n, (entry + 3) % n}
	for id := range uint32(n) {
		for _, to := range lost {
			x.drop(g, id, to)
		}
	}
	must(t, x.Delete(uint64(lost[0])))
	reachable, err := x.Reachable()
	must(t, err)
	missed, err := x.Unreachable()
	must(t, err)
	if reachable != n-3 || missed != 2 {
		t.Errorf("%d of %d elements are reached and %d live ones are not, of three that were cut off and one of them deleted",
			reachable, n, missed)
	}
	must(t, x.connectAll(true))
	if missed, err = x.Unreachable(); err != nil || missed != 2 {
		t.Errorf("an index without changes was connected: %d, %v", missed, err)
	}
	x.changes.Add(1)
	must(t, x.connectAll(true))
	checkReach(t, x)
}

// TestReachOfNothing: looking for what can be reached in an empty index leaves nothing of it held.
func TestReachOfNothing(t *testing.T) {
	x, err := New(Config{Dim: 2})
	must(t, err)
	reached, err := x.Reachable()
	must(t, err)
	if refs := x.graph.Load().refs.Load(); reached != 0 || refs != 1 {
		t.Errorf("%d reached, %d references", reached, refs)
	}
	must(t, x.Close())
}
