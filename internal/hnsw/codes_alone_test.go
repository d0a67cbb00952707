package hnsw

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// rowless is a configuration that keeps codes alone.
func rowless(metric vector.Metric, kind quant.Kind, bits int) Config {
	return Config{Metric: metric, Codes: Codes{Kind: kind, Bits: bits}, Storage: rowtype.NoRows}
}

// someRows is how many of the real data are enough here: codes alone take long to build from.
const someRows = 2500

// realRowless is an index of a part of the real data that keeps codes alone.
func realRowless(t *testing.T, kind quant.Kind, bits int) (*Index, vector.Matrix) {
	t.Helper()
	rows, err := wordnet()
	must(t, err)
	rows = rows.Slice(0, min(someRows, rows.Rows()))
	return build(t, rowless(vector.Cosine, kind, bits), rows), rows
}

// TestRecallOfCodesAlone: what codes alone find of the true neighbours, growing, frozen and after a reorder.
func TestRecallOfCodesAlone(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	for _, c := range []struct {
		kind quant.Kind
		bits int
		want float64
	}{{quant.RaBitQ, 2, 0.83}, {quant.RaBitQ, 4, 0.94}, {quant.RaBitQ, 8, 0.985}, {quant.Scalar, 8, 0.985}} {
		x, rows := realRowless(t, c.kind, c.bits)
		queries := rows.Slice(rows.Rows()-200, rows.Rows())
		truth := flatTruth(t, queries, 10, func(label uint64) bool { return label < someRows })
		f, err := x.Freeze()
		must(t, err)
		var stats search.Stats
		o := search.Options{Ef: 100, Rerank: 50, Stats: &stats}
		growing, frozen := recall(t, x.Search, queries, 10, o, truth), recall(t, f.Search, queries, 10, o, truth)
		must(t, f.Close())
		must(t, x.Reorder())
		reordered := recall(t, x.Search, queries, 10, o, truth)
		t.Logf("%v%d: recall@10 %.4f, frozen %.4f, reordered %.4f", c.kind, c.bits, growing, frozen, reordered)
		if least := min(growing, frozen, reordered); least < c.want {
			t.Errorf("%v%d: recall@10 is %.4f, not %.2f", c.kind, c.bits, least, c.want)
		}
		if stats.Reranked != 0 {
			t.Errorf("%d candidates were ranked again, by nothing", stats.Reranked)
		}
	}
}

// TestCodesAloneTellTheirEstimates: results, of walks and of exact searches under a filter, are ranked by what a scorer
// of the codes says, and no distance of l2 is below 0.
func TestCodesAloneTellTheirEstimates(t *testing.T) {
	const n, dim, k = 500, 24, 20
	rows := matrix(t, clusteredRows(n, dim, 9, 1), dim)
	for _, metric := range []vector.Metric{vector.L2, vector.IP, vector.Cosine} {
		x := build(t, rowless(metric, quant.RaBitQ, 4), rows)
		for i := range 20 {
			q := decoded(rows, i*7)
			want := estimates(t, x, q)
			got, err := x.Search(q, n, search.Options{Ef: n})
			must(t, err)
			if len(got) < n*98/100 { // a few may be out of reach
				t.Fatalf("%v: %d of %d are found", metric, len(got), n)
			}
			reached := slices.DeleteFunc(slices.Clone(want), func(n search.Neighbor) bool { return !slices.Contains(got, n) })
			sameResults(t, got, reached)
			few := search.FilterFunc(func(label uint64) bool { return label%10 == 3 })
			var stats search.Stats
			got, err = x.Search(q, k, search.Options{Filter: few, Stats: &stats})
			must(t, err)
			want = slices.DeleteFunc(want, func(n search.Neighbor) bool { return n.Label%10 != 3 })
			if sameResults(t, got, want[:k]); !stats.Exact {
				t.Error("the search walked")
			}
		}
	}
}

// estimates are all elements by the estimates of their distances.
func estimates(t *testing.T, x *Index, query []float32) []search.Neighbor {
	t.Helper()
	c := x.graph.Load().coder.Load()
	s, q := quant.NewScorer(c.q.(grids).Quantizer, c.codes), slices.Clone(query)
	if x.Metric() == vector.Cosine {
		vector.Normalize(q)
	}
	s.Bind(q)
	ids, dist := make([]uint32, x.Len()), make([]float32, x.Len())
	for i := range ids {
		ids[i] = uint32(i)
	}
	s.Score(ids, dist)
	all := make([]search.Neighbor, len(ids))
	for i, d := range dist {
		if x.Metric() != vector.IP {
			d = max(d, 0)
		}
		all[i] = search.Neighbor{Label: x.graph.Load().label(uint32(i)), Distance: d}
	}
	sortNeighbors(all)
	return all
}

// TestCodesAloneWithFilters: filters, deletions and stop conditions hold where distances are estimates.
func TestCodesAloneWithFilters(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	x, rows := realRowless(t, quant.RaBitQ, 8)
	queries := rows.Slice(rows.Rows()-50, rows.Rows())
	for _, share := range []uint64{2, 10, 100} {
		allow := func(label uint64) bool { return label%share == 0 }
		set := roaring64.New()
		for i := range uint64(rows.Rows()) {
			if allow(i) {
				set.Add(i)
			}
		}
		truth := flatTruth(t, queries, 10, func(label uint64) bool { return label < someRows && allow(label) })
		for name, f := range map[string]*search.Filter{"function": search.FilterFunc(allow),
			"bitmap": search.FilterBitmap(set)} {
			if got := recall(t, x.Search, queries, 10, search.Options{Filter: f}, truth); got < 0.93 {
				t.Errorf("one in %d allowed by %s: recall@10 is %.4f", share, name, got)
			}
		}
	}
	q := decoded(rows, 7)
	want, err := x.Search(q, 30, search.Options{Ef: 400})
	must(t, err)
	got, err := x.Search(q, 0, search.Options{Stop: search.Radius(want[19].Distance, 1000, 1000)})
	must(t, err)
	if len(got) < 17 || hits(got, want[:20]) != len(got) {
		t.Errorf("within %v lie %v, of %v", want[19].Distance, got, want[:20])
	}
	for _, n := range want[:5] {
		must(t, x.Delete(n.Label))
	}
	got, err = x.Search(q, 10, search.Options{Ef: 400})
	must(t, err)
	sameResults(t, got, want[5:15])
}

// TestVectorsOfCodesAlone: Vector gives about what was added, and so does an image.
func TestVectorsOfCodesAlone(t *testing.T) {
	const n, dim = 300, 40
	rows := matrix(t, randomRows(n, dim, 3), dim)
	x := build(t, rowless(vector.L2, quant.Scalar, 8), rows)
	check := func(i int, got []float32) {
		t.Helper()
		if d := oracle(Config{}, got, decoded(rows, i)); d > 0.02 {
			t.Fatalf("row %d comes back at distance %g", i, d)
		}
	}
	got := make([]float32, dim)
	for i := range n {
		must(t, x.Vector(uint64(i), got))
		check(i, got)
	}
	must(t, x.Add(5, decoded(rows, 9), AddOptions{}))
	must(t, x.Vector(5, got))
	check(9, got)
	must(t, x.WithImage(func(m *Image) error {
		read, err := m.Vectors()
		must(t, err)
		read(17, got)
		check(17, got)
		return nil
	}))
}

// TestCodesAloneGrow: rows added one by one are coded from the first on, wherever they lie, and found by their vectors
// while the index grows, is updated, frozen, reordered and restored.
func TestCodesAloneGrow(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	const n, dim = 1500, 16
	for _, offset := range []float32{0, 500} {
		c := rowless(vector.L2, quant.RaBitQ, 8)
		c.Dim, c.ReplaceDelete = dim, true
		x, err := New(c)
		must(t, err)
		defer x.Close()
		if found, err := x.Search(make([]float32, dim), 3, search.Options{}); err != nil || len(found) != 0 {
			t.Fatalf("an empty index finds %v, %v", found, err)
		}
		data := randomRows(2*n, dim, 5)
		for i := range data {
			data[i] += offset
		}
		rows := matrix(t, data, dim)
		for i := range n {
			must(t, x.Add(uint64(i), decoded(rows, i), AddOptions{}))
		}
		center := x.graph.Load().coder.Load().q.values()
		if !slices.Equal(center, decoded(rows, 0)) {
			t.Errorf("the center is %v, not the first row", center)
		}
		for i := range n / 3 {
			replaceRow(t, x, uint64(i), decoded(rows, n+i), i%3)
		}
		soundBooks(t, x)
		must(t, x.Reorder())
		must(t, x.Resize(3*n))
		y, err := restored(x, func(*Image) {})
		must(t, err)
		defer y.Close()
		if !bytes.Equal(contentOf(t, x.WithImage), contentOf(t, y.WithImage)) {
			t.Error("the restored index differs")
		}
		f, err := y.Freeze()
		must(t, err)
		defer f.Close()
		for _, find := range []func([]float32, int, search.Options) ([]search.Neighbor, error){x.Search, y.Search, f.Search} {
			own := 0
			for i := range n {
				at := i
				if i < n/3 {
					at += n
				}
				found, err := find(decoded(rows, at), 1, search.Options{})
				must(t, err)
				if found[0].Label == uint64(i) {
					own++
				}
			}
			if own < n*99/100 {
				t.Errorf("offset %v: only %d of %d are found by their vectors", offset, own, n)
			}
		}
	}
}

// TestFirstBatchTrainsCodesAlone: the mean of the first batch is the center, also where batches are added at once, and
// no later one changes it.
func TestFirstBatchTrainsCodesAlone(t *testing.T) {
	const n, dim = 400, 8
	rows := matrix(t, randomRows(n, dim, 7), dim)
	c := rowless(vector.L2, quant.RaBitQ, 4)
	c.Dim = dim
	x, err := New(c)
	must(t, err)
	defer x.Close()
	must(t, x.AddBatch(context.Background(), rows, nil, BatchOptions{}))
	mean := make([]float64, dim)
	for i := range n {
		for j, v := range decoded(rows, i) {
			mean[j] += float64(v) / n
		}
	}
	center := slices.Clone(x.graph.Load().coder.Load().q.values())
	for j, v := range mean {
		if math.Abs(float64(center[j])-v) > 1e-5 {
			t.Fatalf("the center is %v, the mean %v", center, mean)
		}
	}
	far := randomRows(n, dim, 8)
	for i := range far {
		far[i] += 50
	}
	for range 10 {
		must(t, x.AddBatch(context.Background(), matrix(t, far, dim), nil, BatchOptions{}))
	}
	if !slices.Equal(center, x.graph.Load().coder.Load().q.values()) {
		t.Error("the center has moved")
	}
}

// TestFirstAddsAtOnce: whichever addition comes first trains; all are coded by what it made.
func TestFirstAddsAtOnce(t *testing.T) {
	const n, dim = 64, 8
	rows := matrix(t, randomRows(n, dim, 7), dim)
	for range 20 {
		c := rowless(vector.L2, quant.RaBitQ, 8)
		c.Dim = dim
		x, err := New(c)
		must(t, err)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				if err := x.Add(uint64(i), decoded(rows, i), AddOptions{}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		got := make([]float32, dim)
		for i := range n {
			must(t, x.Vector(uint64(i), got))
			if d := oracle(Config{}, got, decoded(rows, i)); d > 0.05 {
				t.Fatalf("row %d comes back at distance %g", i, d)
			}
		}
		must(t, x.Close())
	}
}

func TestCodesAloneRefuse(t *testing.T) {
	for name, c := range map[string]Config{
		"no codes": {Dim: 3, Storage: rowtype.NoRows},
		"custom":   {Dim: 3, Storage: rowtype.NoRows, Codes: Codes{Bits: 4}, Custom: manhattan},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	c := rowless(vector.L2, quant.RaBitQ, 4)
	c.Dim = 3
	if _, err := NewFlat(c); err == nil {
		t.Error("an index without a graph was made without rows")
	}
	x, err := New(c)
	must(t, err)
	defer x.Close()
	long := []float32{1e19, -1e19, 1e19} // whose squared length is past float32
	if err := x.Add(1, long, AddOptions{}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("adding %v: %v", long, err)
	}
	must(t, x.Add(1, []float32{4e18, -4e18, 3e18}, AddOptions{}))
	must(t, x.Add(2, []float32{-4e18, 4e18, 3e18}, AddOptions{}))
	must(t, x.WithImage((*Image).Check))
}

// TestDamagedVectors: what distances come from is checked where an index is restored.
func TestDamagedVectors(t *testing.T) {
	rows := matrix(t, randomRows(50, 9, 1), 9)
	nan := bytesOf([]float32{float32(math.NaN())})
	scaled := build(t, Config{M: 4, Storage: rowtype.ScaledInt8}, rows)
	bare := build(t, Config{M: 4, Storage: rowtype.NoRows, Codes: Codes{Bits: 4}}, rows)
	stride := quant.Stride(9, 4)
	for name, c := range map[string]struct {
		x      *Index
		damage func(*Image)
		want   ImageError
	}{
		"scale":    {scaled, func(m *Image) { copy(m.Rows.RowBytes(7)[12:], nan) }, ImageError{Field: "Rows", Index: 7}},
		"factor":   {bare, func(m *Image) { copy(m.Codes[8*stride+8:], nan) }, ImageError{Field: "Codes", Index: 8 * stride}},
		"no codes": {bare, func(m *Image) { m.Coded = false }, ImageError{Field: "Coded"}},
	} {
		var e *ImageError
		_, err := restored(c.x, c.damage)
		if !errors.As(err, &e) || e.Field != c.want.Field || e.Index != c.want.Index {
			t.Errorf("%s: %v", name, err)
		}
	}
}
