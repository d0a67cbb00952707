package hnsw

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"unsafe"

	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/internal/quant/pq"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// products8 and products4 are codes of 4 bits a dimension.
var (
	products8 = Codes{Kind: quant.Product, Bits: 8}
	products4 = Codes{Kind: quant.Product, Bits: 4}
)

// TestProductsKeepRecall: a walk over codes of product quantization finds about what a walk over rows finds, and the
// distances that it gives are those of the rows.
func TestProductsKeepRecall(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	rows, err := wordnet()
	must(t, err)
	rows = rows.Slice(0, min(someRows, rows.Rows()))
	queries := rows.Slice(rows.Rows()-100, rows.Rows())
	truth := flatTruth(t, queries, 10, func(label uint64) bool { return label < uint64(rows.Rows()) })
	exact := build(t, Config{Metric: vector.Cosine}, rows)
	want := recall(t, exact.Search, queries, 10, search.Options{Ef: 100}, truth)
	for _, codes := range []Codes{products8, products4} {
		x := build(t, Config{Metric: vector.Cosine, Codes: codes}, rows)
		f, err := x.Freeze()
		must(t, err)
		defer f.Close()
		must(t, x.Reorder())
		var stats search.Stats
		reordered := recall(t, x.Search, queries, 10, search.Options{Ef: 100, Stats: &stats}, truth)
		frozen := recall(t, f.Search, queries, 10, search.Options{Ef: 100}, truth)
		if min(reordered, frozen) < want-0.01 || stats.Reranked < 10 {
			t.Errorf("%d bits: recall@10 is %.4f, frozen %.4f, by rows %.4f; %d re-ranked", codes.Bits, reordered,
				frozen, want, stats.Reranked)
		}
		query := decoded(queries, 3)
		found, err := x.Search(query, 10, search.Options{})
		must(t, err)
		for _, n := range found {
			if d := oracle(x.Config(), query, decoded(rows, int(n.Label))); math.Abs(d-float64(n.Distance)) > 1e-5 {
				t.Errorf("row %d is told to be at %v, it is at %v", n.Label, n.Distance, d)
			}
		}
	}
}

// productEstimates are all elements by what a scorer of the codes says.
func productEstimates(t *testing.T, r *Reader, query []float32, squared bool) []search.Neighbor {
	t.Helper()
	g := r.graph.Load()
	c := g.coder.Load()
	s := pq.NewScorer(c.q.(products).Quantizer, c.codes)
	s.SquaredL2(squared)
	q := slices.Clone(query)
	if r.Metric() == vector.Cosine {
		vector.Normalize(q)
	}
	s.Bind(q)
	all, dist := make([]search.Neighbor, r.Len()), make([]float32, 1)
	for i := range all {
		if s.Score([]uint32{uint32(i)}, dist); squared {
			dist[0] = s.Exact(uint32(i)) // what is told isn't rounded
		}
		if r.Metric() != vector.IP || squared {
			dist[0] = max(dist[0], 0)
		}
		all[i] = search.Neighbor{Label: g.label(uint32(i)), Distance: dist[0]}
	}
	sortNeighbors(all)
	return all
}

// TestProductsAloneTellTheirEstimates: where no rows are kept results are ranked by what a scorer of the codes says.
func TestProductsAloneTellTheirEstimates(t *testing.T) {
	race.SkipSequential(t)
	const n, dim, k = 400, 24, 20
	rows := matrix(t, clusteredRows(n, dim, 9, 1), dim)
	for _, metric := range []vector.Metric{vector.L2, vector.IP, vector.Cosine} {
		for _, codes := range []Codes{products8, products4, {Kind: quant.Product, Bits: 4, Subvectors: 3, Rotated: true}} {
			x := build(t, Config{Metric: metric, Storage: rowtype.NoRows, Codes: codes}, rows)
			few := search.FilterFunc(func(label uint64) bool { return label%10 == 3 })
			for i := range 10 {
				q := decoded(rows, i*7)
				all := productEstimates(t, &x.Reader, q, false)
				got, err := x.Search(q, n, search.Options{Ef: n})
				must(t, err)
				if len(got) < n*9/10 { // some are out of reach in a graph by such codes
					t.Fatalf("%v: %d of %d are found", metric, len(got), n)
				}
				sameResults(t, got, slices.DeleteFunc(slices.Clone(all),
					func(n search.Neighbor) bool { return !slices.Contains(got, n) }))
				got, err = x.Search(q, k, search.Options{Filter: few})
				must(t, err)
				sameResults(t, got, slices.DeleteFunc(all, func(n search.Neighbor) bool { return n.Label%10 != 3 })[:k])
			}
			vec, want := make([]float32, dim), make([]float32, dim)
			must(t, x.Vector(5, vec))
			c := x.graph.Load().coder.Load()
			c.q.(products).Decode(c.row(5), want)
			if !slices.Equal(vec, want) {
				t.Errorf("the vector of label 5 is %v, its code stands for %v", vec, want)
			}
		}
	}
}

func TestProductImagesComeBack(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	rows := matrix(t, randomRows(1500, 20, 3), 20)
	for _, codes := range []Codes{products8, products4, {Kind: quant.Product, Bits: 8, Subvectors: 5, Rotated: true}} {
		for _, storage := range []vector.Type{vector.Float32, rowtype.ScaledInt8, rowtype.NoRows} {
			comesBack(t, Config{Storage: storage, Codes: codes}, rows)
		}
	}
}

// TestProductsAreTrainedAgain: an index that grew from few rows, or whose rows moved elsewhere, gets other codebooks;
// one that was given its quantizer keeps it.
func TestProductsAreTrainedAgain(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	const dim = 8
	few, far := randomRows(trainRows, dim, 1), randomRows(4*trainRows, dim, 2)
	for i := range far {
		far[i] = 5*far[i] + 40
	}
	given, err := pq.Train(context.Background(), matrix(t, few, dim),
		pq.Config{Dim: dim, Subvectors: 4}, pq.TrainOptions{})
	must(t, err)
	for _, q := range []*pq.Quantizer{nil, given} {
		x := build(t, Config{Codes: products8, Quantizer: q}, matrix(t, few, dim))
		before := x.graph.Load().coder.Load().q.values()
		labels := make([]uint64, len(far)/dim)
		for i := range labels {
			labels[i] = uint64(trainRows + i)
		}
		must(t, x.AddBatch(context.Background(), matrix(t, far, dim), labels, BatchOptions{}))
		after := x.graph.Load().coder.Load().q.values()
		if same := slices.Equal(before, after); same != (q != nil) {
			t.Errorf("a quantizer given: %v; the codebooks are the same: %v", q != nil, same)
		}
		if q != nil && !slices.Equal(before, q.Params()) {
			t.Error("the quantizer is another than that given")
		}
		if q != nil {
			continue // far rows are all alike to it
		}
		found, err := x.Search(far[:dim], 1, search.Options{})
		must(t, err)
		if len(found) != 1 || found[0].Label != trainRows {
			t.Errorf("a far row finds %v", found)
		}
	}
}

// TestAttachedProducts: an external graph is searched by codes from outside, which stay where they are, by squared
// distances if asked for; rows attached as well rank what is found.
func TestAttachedProducts(t *testing.T) {
	const n, dim, k = 600, 16, 10
	data := unitRows(n, dim, 1)
	rows := matrix(t, data, dim)
	ctx := context.Background()
	for _, metric := range []vector.Metric{vector.L2, vector.IP, vector.Cosine} {
		x := external(t, Config{Metric: metric, M: 8}, rows)
		f, err := x.Freeze()
		must(t, err)
		defer f.Close()
		trained, err := pq.Train(ctx, rows, pq.Config{Dim: dim, Metric: metric, Subvectors: 8}, pq.TrainOptions{})
		must(t, err)
		q, err := pq.New(trained.Config(), trained.Books())
		must(t, err)
		codes := make([]byte, q.Bytes(n))
		must(t, q.Encode(ctx, rows, 0, codes))
		if err := f.AttachPQ(q, codes, AttachPQOptions{}); err != nil {
			t.Fatal(err)
		}
		if held := f.graph.Load().coder.Load().codes; unsafe.SliceData(held) != unsafe.SliceData(codes) {
			t.Error("codes were copied")
		}
		if e := f.graph.Load().coder.Load().q.(products).Errors(); e == (pq.Errors{}) {
			t.Error("errors weren't measured")
		}
		for i := range 20 {
			query := data[i*31*dim%len(data)/dim*dim:][:dim]
			got, err := f.Search(query, k, search.Options{Ef: n})
			must(t, err)
			sameDistances(t, got, nearest(f.Config(), rows, nil, nil, query, k), 1e-5)
		}
		for _, squared := range []bool{false, true} {
			alone := linksOf(t, f)
			if _, err := alone.Search(data[:dim], k, search.Options{}); !errors.Is(err, ErrNoRows) {
				t.Errorf("neither rows nor codes: %v", err)
			}
			must(t, alone.AttachPQ(q, codes, AttachPQOptions{SquaredL2: squared}))
			for i := range 20 {
				query := data[i*dim : (i+1)*dim]
				got, err := alone.Search(query, n, search.Options{Ef: n})
				must(t, err)
				all := productEstimates(t, &alone.Reader, query, squared)
				sameResults(t, got, slices.DeleteFunc(all, func(n search.Neighbor) bool { return !slices.Contains(got, n) }))
				if len(got) < n*98/100 {
					t.Fatalf("%d of %d are found", len(got), n)
				}
			}
			must(t, alone.Attach(rows, AttachOptions{}))
			got, err := alone.Search(data[:dim], k, search.Options{Ef: n})
			must(t, err)
			sameDistances(t, got, nearest(f.Config(), rows, nil, nil, data[:dim], k), 1e-5)
		}
	}
}

// linksOf is a copy of f without what is attached to it.
func linksOf(t *testing.T, f *Frozen) *Frozen {
	t.Helper()
	var alone *Frozen
	must(t, f.WithImage(func(from *Image) error {
		order := make([]uint32, from.Count)
		for i := range order {
			order[i] = uint32(i)
		}
		var err error
		alone, err = RestoreFrozen(from.Config, from.Count, from.UpperLists(), func(to *Image) error {
			renumber(to, from, order)
			return nil
		})
		return err
	}))
	t.Cleanup(func() { alone.Close() })
	return alone
}

func TestProductsRefused(t *testing.T) {
	const dim = 8
	ctx := context.Background()
	rows := matrix(t, randomRows(50, dim, 1), dim)
	q, err := pq.Train(ctx, rows, pq.Config{Dim: dim, Subvectors: 4}, pq.TrainOptions{})
	must(t, err)
	for name, c := range map[string]Config{
		"bits":       {Dim: dim, Codes: Codes{Kind: quant.Product, Bits: 5}},
		"subvectors": {Dim: dim, Codes: Codes{Kind: quant.Product, Bits: 8, Subvectors: 3}},
		"too many":   {Dim: dim, Codes: Codes{Kind: quant.Product, Bits: 8, Subvectors: 9}},
		"other kind": {Dim: dim, Codes: Codes{Bits: 2, Subvectors: 4}},
		"other bits": {Dim: dim, Codes: products4, Quantizer: q},
		"no codes":   {Dim: dim, Quantizer: q},
		"metric":     {Dim: dim, Metric: vector.IP, Codes: products8, Quantizer: q},
		"custom":     {Dim: dim, Codes: products8, Custom: manhattan},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	x := external(t, Config{}, rows)
	codes := make([]byte, q.Bytes(50))
	within := build(t, Config{}, rows)
	narrow, err := pq.New(pq.Config{Dim: 4, Subvectors: 4}, make([]float32, 256*4))
	must(t, err)
	fewer, err := pq.New(pq.Config{Dim: dim, Subvectors: 4, Centroids: 3}, make([]float32, 3*dim))
	must(t, err)
	other, err := pq.New(pq.Config{Dim: dim, Subvectors: 4, Metric: vector.IP}, q.Books())
	must(t, err)
	for name, err := range map[string]error{
		"own rows":  within.AttachPQ(q, codes, AttachPQOptions{}),
		"short":     x.AttachPQ(q, codes[1:], AttachPQOptions{}),
		"narrow":    x.AttachPQ(narrow, codes, AttachPQOptions{}),
		"metric":    x.AttachPQ(other, codes, AttachPQOptions{}),
		"centroids": x.AttachPQ(fewer, bytes.Repeat([]byte{3}, len(codes)), AttachPQOptions{}),
	} {
		if err == nil {
			t.Errorf("attach, %s: accepted", name)
		}
	}
	must(t, x.AttachPQ(q, codes, AttachPQOptions{}))
	if err := x.AddAttached(ctx, 0, nil, BatchOptions{}); err == nil {
		t.Error("elements are added beside codes from outside")
	}
	if err := x.WithImage(func(m *Image) error {
		if m.Coded || m.Codes != nil {
			return fmt.Errorf("codes from outside are in the image")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
