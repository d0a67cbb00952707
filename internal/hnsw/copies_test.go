package hnsw

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

var allCopies = flag.Bool("hnsw.copies", false,
	"test copies of rows in all numbers, orders and kinds of storage, which takes minutes")

// copyCase is a set of rows of which some are there several times.
type copyCase struct {
	cfg            Config
	n              int // rows, each of them once
	groups, copies int // rows that are there more often, and how often
	order          string
}

func (c copyCase) String() string {
	return fmt.Sprintf("%s, %s, %d bits, %d rows, %d with %d copies %s",
		c.cfg.Metric, c.cfg.Storage, c.cfg.Codes.Bits, c.n, c.groups, c.copies, c.order)
}

// rows gives the rows in order, and the row of base that each is equal to: rows that are there
// several times are the first of base.
func (c copyCase) rows(base []float32) (rows []float32, of []int) {
	for i := range c.n {
		of = append(of, i)
	}
	var more []int
	for range c.copies - 1 {
		for g := range c.groups {
			more = append(more, g)
		}
	}
	switch c.order {
	case "first":
		of = append(more, of...)
	case "last":
		of = append(of, more...)
	default:
		of = append(of, more...)
		rand.New(rand.NewPCG(7, 7)).Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
	}
	dim := c.cfg.Dim
	for _, i := range of {
		rows = append(rows, base[i*dim:(i+1)*dim]...)
	}
	return rows, of
}

// copyCases are a few of all combinations, or all.
func copyCases() (cases []copyCase) {
	n, counts := 1500, [][2]int{{1, 1500}, {30, 50}}
	if *allCopies {
		n, counts = 20_000, [][2]int{{1, 2}, {1, 100}, {1, 3000}, {1, 10_000}, {10, 1000}, {100, 2}, {100, 100}}
	}
	storages := []Config{
		{}, {Storage: vector.Float16}, {Storage: rowtype.ScaledInt8}, {Codes: Codes{Bits: 1}}, {Codes: Codes{Bits: 2}},
		{Codes: Codes{Bits: 4}, Storage: vector.Float16}, {Codes: Codes{Bits: 4}, Storage: rowtype.NoRows},
		{Codes: Codes{Bits: 4, Kind: quant.Product}},
	}
	at := 0
	for _, storage := range storages {
		for _, metric := range []vector.Metric{vector.L2, vector.IP, vector.Cosine} {
			for _, count := range counts {
				for _, order := range []string{"first", "last", "shuffled"} {
					if at++; !*allCopies && at%13 != 0 {
						continue
					}
					c := storage
					c.Dim, c.Metric = 32, metric
					cases = append(cases, copyCase{c, n, count[0], count[1], order})
				}
			}
		}
	}
	return cases
}

// copyCheck searches an index of rows with copies, as its case says.
type copyCheck struct {
	copyCase
	base    []float32 // different rows
	of      []int     // the row of base that each row is
	queries []float32
	live    func(label uint64) bool
}

func TestCopies(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	cases := copyCases()
	if testing.Short() {
		cases = cases[:min(3, len(cases))]
	}
	for _, c := range cases {
		t.Run(c.String(), func(t *testing.T) { testCopies(t, c) })
	}
}

func testCopies(t *testing.T, c copyCase) {
	dim := c.cfg.Dim
	base := randomRows(c.n, dim, 3)
	queries := randomRows(100, dim, 4)
	single := c
	single.groups, single.copies = 0, 1
	_, alone := single.rows(base)
	rows, of := c.rows(base)
	without := copyCheck{single, base, alone, queries, func(uint64) bool { return true }}
	x, y := c.build(t, base), c.build(t, rows)
	defer x.Close()
	defer y.Close()
	with := copyCheck{c, base, of, queries, func(uint64) bool { return true }}
	with.check(t, y, without, x)
	deleted, met := map[uint64]bool{}, map[int]int{}
	for id, i := range of {
		if met[i]++; met[i]%2 == 1 && i < c.groups {
			must(t, y.Delete(uint64(id)))
			deleted[uint64(id)] = true
		}
	}
	with.live = func(label uint64) bool { return !deleted[label] }
	with.check(t, y, without, x)
}

// TestZeroRows is TestCopies for rows of zeros, which are at distance 1 from everything by some metrics.
func TestZeroRows(t *testing.T) {
	race.SkipSequential(t)
	for _, metric := range []vector.Metric{vector.L2, vector.IP, vector.Cosine} {
		c := copyCase{Config{Dim: 32, Metric: metric}, 1000, 1, 700, "shuffled"}
		base := randomRows(c.n, c.cfg.Dim, 3)
		clear(base[:c.cfg.Dim])
		rows, of := c.rows(base)
		single := c
		single.groups, single.copies = 0, 1
		_, alone := single.rows(base)
		x, y := c.build(t, base), c.build(t, rows)
		queries := randomRows(100, c.cfg.Dim, 4)
		all := func(uint64) bool { return true }
		checkReach(t, y)
		copyCheck{c, base, of, queries, all}.check(t, y, copyCheck{single, base, alone, queries, all}, x)
		must(t, x.Close())
		must(t, y.Close())
	}
}

// build makes an index of rows. One goroutine inserts, so that nothing depends on chance.
func (c copyCase) build(t *testing.T, rows []float32) *Index {
	t.Helper()
	x, err := New(c.cfg)
	must(t, err)
	must(t, x.AddBatch(context.Background(), matrix(t, rows, c.cfg.Dim), nil, BatchOptions{Threads: 1}))
	return x
}

// check searches for copies, and for others, which are to be found as they are without copies.
func (c copyCheck) check(t *testing.T, x *Index, without copyCheck, y *Index) {
	t.Helper()
	for g := range min(c.groups, 20) {
		if found, want := c.copiesFound(t, x, g); found != want {
			t.Errorf("row %d: %d of %d copies found", g, found, want)
		}
	}
	true10 := make([][]int, len(c.queries)/c.cfg.Dim)
	for q := range true10 {
		true10[q] = c.othersNear(c.queries[q*c.cfg.Dim : (q+1)*c.cfg.Dim])
	}
	slack := 0.005
	if !c.cfg.keepsRows() { // distances are estimates, whose errors are another build's
		slack = 0.03
	}
	if with, without := c.recall(t, x, true10), without.recall(t, y, true10); with < without-slack {
		t.Errorf("recall is %.4f, without copies it is %.4f", with, without)
	}
}

// distances are those from a query to each different row.
func (c copyCheck) distances(query []float32) []float64 {
	all := make([]float64, c.n)
	for i := range all {
		all[i] = oracle(c.cfg, query, c.base[i*c.cfg.Dim:(i+1)*c.cfg.Dim])
	}
	return all
}

// copiesFound searches for row g of base, for as many as there are of it and of those that are nearer.
func (c copyCheck) copiesFound(t *testing.T, x *Index, g int) (found, want int) {
	t.Helper()
	query := c.base[g*c.cfg.Dim : (g+1)*c.cfg.Dim]
	distances := c.distances(query)
	k := 0
	for label, i := range c.of {
		switch {
		case !c.live(uint64(label)):
		case i == g:
			want++
			k++
		case distances[i] < distances[g]+1e-3: // nearer, as far as floats of 16 bits can tell
			k++
		}
	}
	if !c.cfg.keepsRows() || c.cfg.Storage == rowtype.ScaledInt8 {
		k += 50 // others, whose distances are rounded, may come before
	}
	got, err := x.Search(query, k, search.Options{Ef: 200})
	must(t, err)
	for _, f := range got {
		if c.of[f.Label] == g {
			found++
		}
	}
	return found, want
}

// othersNear gives those of the 10 nearest rows that are there once.
func (c copyCheck) othersNear(query []float32) []int {
	distances := c.distances(query)
	var live []int
	for label, i := range c.of {
		if c.live(uint64(label)) {
			live = append(live, i)
		}
	}
	slices.SortFunc(live, func(a, b int) int { return cmp.Compare(distances[a], distances[b]) })
	return slices.DeleteFunc(live[:10], func(i int) bool { return i < c.groups })
}

// recall is the share of wanted rows, of each query's 10 nearest, that searches find.
func (c copyCheck) recall(t *testing.T, x *Index, wanted [][]int) float64 {
	t.Helper()
	found, all, dim := 0, 0, c.cfg.Dim
	for q, rows := range wanted {
		got, err := x.Search(c.queries[q*dim:(q+1)*dim], 10, search.Options{Ef: 100})
		must(t, err)
		for _, f := range got {
			if slices.Contains(rows, c.of[f.Label]) {
				found++
			}
		}
		all += len(rows)
	}
	return float64(found) / float64(all)
}

// checkChains tests the rules of copies: each leads to its leader first and to its neighbours in the chain, which leads
// back; the leader's links lead to one end of the chain, and nothing else leads to a copy.
func checkChains(t *testing.T, x *Index) {
	t.Helper()
	g, n := x.graph.Load(), uint32(x.Len())
	inChain, inbound := map[uint32]bool{}, make([]uint32, n)
	copies := 0
	for id := range n {
		links := g.links(id, nil)
		for _, to := range links {
			inbound[to]++
		}
		if g.isCopy(id) {
			copies++
			if len(links) == 0 || len(links) > mostCopyLinks || g.isCopy(links[0]) {
				t.Fatalf("copy %d has links to %v", id, links)
			}
			for _, to := range links {
				if !bytes.Equal(g.content(id), g.content(to)) {
					t.Fatalf("copy %d has a link to %d, whose row is another one", id, to)
				}
			}
			continue
		}
		if first, ok := x.firstCopy(g, id); ok {
			for _, c := range x.chainFrom(g, first) {
				if g.links(c, nil)[0] != id {
					t.Fatalf("copy %d in the chain of %d has leader %d", c, id, g.links(c, nil)[0])
				}
				inChain[c] = true
			}
		}
	}
	if int64(copies) != g.copies.n.Load() || len(inChain) != copies {
		t.Fatalf("%d copies are counted, %d are marked, %d are in chains", g.copies.n.Load(), copies, len(inChain))
	}
	for id, count := range inbound {
		if g.inbound[id] != count {
			t.Fatalf("element %d: %d links lead to it, %d are counted", id, count, g.inbound[id])
		}
	}
}

// TestNoCopiesIsKnown looks whether indexes know that they have no copies, for which walks then don't look. A frozen
// index goes by the links, and some graphs without copies look as if they had some: one thread builds the same graph
// each time.
func TestNoCopiesIsKnown(t *testing.T) {
	const n, dim = 500, 8
	rows := randomRows(n, dim, 1)
	for _, copies := range []int{0, 1, 2, 40} {
		for i := range copies {
			copy(rows[(n-i-1)*dim:(n-i)*dim], rows[:dim])
		}
		x, err := New(Config{Dim: dim})
		must(t, err)
		must(t, x.AddBatch(context.Background(), matrix(t, rows, dim), nil, BatchOptions{Threads: 1}))
		f, err := x.Freeze()
		must(t, err)
		for kind, r := range map[string]*Reader{"growing": &x.Reader, "frozen": &f.Reader} {
			if got, want := r.noCopies.Load(), copies == 0; got != want {
				t.Errorf("%s index with %d copies: noCopies is %v", kind, copies, got)
			}
			found, err := r.Search(rows[:dim], copies+1, search.Options{Ef: 20})
			must(t, err)
			if found[copies].Distance != 0 {
				t.Errorf("%s index with %d copies: not all are found", kind, copies)
			}
		}
		must(t, errors.Join(x.Close(), f.Close()))
	}
}

// TestNearCopies adds a group of rows that are closer together than float32 tells. The others are found as before.
func TestNearCopies(t *testing.T) {
	race.SkipSequential(t)
	const n, near, dim = 3000, 1500, 32
	base, noise := randomRows(n, dim, 3), randomRows(near, dim, 5)
	queries := randomRows(100, dim, 4)
	rows := slices.Clone(base)
	for i := range near * dim {
		rows = append(rows, base[i%dim]+1e-5*noise[i])
	}
	for _, metric := range []vector.Metric{vector.Cosine, vector.IP} {
		c := copyCase{cfg: Config{Dim: dim, Metric: metric}, n: n}
		x, y := c.build(t, base), c.build(t, rows)
		found := func(x *Index) (hits int) {
			for q := range 100 {
				query := queries[q*dim : (q+1)*dim]
				exact, err := x.Search(query, 10, search.Options{Exact: true})
				must(t, err)
				walked, err := x.Search(query, 10, search.Options{Ef: 30})
				must(t, err)
				for _, f := range exact {
					if f.Label == 0 || f.Label >= n || slices.Contains(walked, f) {
						hits++
					}
				}
			}
			return hits
		}
		if alone, with := found(x), found(y); with < alone-30 {
			t.Errorf("%s: %d of 1000 are found, without the group %d", metric, with, alone)
		}
		checkReach(t, y)
		must(t, errors.Join(x.Close(), y.Close()))
	}
}
