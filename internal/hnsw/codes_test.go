package hnsw

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// codedReal is an index of the real data whose walks read codes of so many bits.
func codedReal(t *testing.T, bits int) (*Index, vector.Matrix) {
	t.Helper()
	rows, err := wordnet()
	must(t, err)
	return build(t, Config{Metric: vector.Cosine, Codes: Codes{Bits: bits}}, rows), rows
}

// TestCodesKeepRecall: a walk over codes finds about what a walk over rows finds, at the same ef, and the distances
// that it gives are those of the rows.
func TestCodesKeepRecall(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	exact, rows := realData(t)
	queries := rows.Slice(rows.Rows()-100, rows.Rows())
	truth := flatTruth(t, queries, 10, nil)
	for _, bits := range []int{1, 2, 3, 4, 8} {
		x, _ := codedReal(t, bits)
		f, err := x.Freeze()
		must(t, err)
		defer f.Close()
		for _, ef := range []int{50, 100, 200} {
			want := recall(t, exact.Search, queries, 10, search.Options{Ef: ef}, truth)
			var stats search.Stats
			growing := recall(t, x.Search, queries, 10, search.Options{Ef: ef, Stats: &stats}, truth)
			frozen := recall(t, f.Search, queries, 10, search.Options{Ef: ef}, truth)
			t.Logf("%d bits, ef %d: %.4f, frozen %.4f, by rows %.4f, %d re-ranked", bits, ef, growing,
				frozen, want, stats.Reranked)
			if stats.Reranked < 10 {
				t.Errorf("%d candidates were re-ranked", stats.Reranked)
			}
			least := want - 0.01
			if bits == 1 {
				least = want - 0.05 // the walk itself loses its way at times
			}
			if growing < least || frozen < least {
				t.Errorf("%d bits, ef %d: recall@10 is %.4f, frozen %.4f, by rows %.4f", bits, ef, growing, frozen, want)
			}
		}
		for i := range 20 {
			found, err := x.Search(decoded(queries, i), 10, search.Options{})
			must(t, err)
			for _, n := range found {
				want := oracle(Config{Metric: vector.Cosine}, decoded(queries, i), decoded(rows, int(n.Label)))
				if d := float64(n.Distance) - want; d > 1e-3 || d < -1e-3 {
					t.Fatalf("%d bits: label %d at %v, its row is at %v", bits, n.Label, n.Distance, want)
				}
			}
		}
	}
}

func TestRerankDepth(t *testing.T) {
	t.Parallel()
	x, rows := codedReal(t, 2)
	q := decoded(rows, 3)
	for _, c := range []struct{ k, depth, want int }{{10, 25, 25}, {10, 3, 10}, {1, 1, 1}, {10, 1000, 100}} {
		var stats search.Stats
		found, err := x.Search(q, c.k, search.Options{Rerank: c.depth, Stats: &stats})
		must(t, err)
		if stats.Reranked != c.want || len(found) != c.k {
			t.Errorf("k %d, depth %d: %d re-ranked, %d found", c.k, c.depth, stats.Reranked, len(found))
		}
	}
	if found, err := x.Search(q, 1, search.Options{}); err != nil || found[0].Label != 3 || found[0].Distance > 1e-3 {
		t.Errorf("row 3 finds %v, %v", found, err)
	}
}

// TestCodesWithFilters: filters, deletions and stop conditions hold whatever the walk reads.
func TestCodesWithFilters(t *testing.T) {
	t.Parallel()
	x, rows := codedReal(t, 3)
	queries := rows.Slice(rows.Rows()-50, rows.Rows())
	for _, share := range []uint64{2, 10, 100} {
		allow := func(label uint64) bool { return label%share == 0 }
		set := roaring64.New()
		for i := range uint64(rows.Rows()) {
			if allow(i) {
				set.Add(i)
			}
		}
		truth := flatTruth(t, queries, 10, allow)
		for name, f := range map[string]*search.Filter{"function": search.FilterFunc(allow),
			"bitmap": search.FilterBitmap(set)} {
			if got := recall(t, x.Search, queries, 10, search.Options{Filter: f}, truth); got < 0.95 {
				t.Errorf("one in %d allowed by %s: recall@10 is %.4f", share, name, got)
			}
		}
	}
	q := decoded(rows, 7)
	want, err := x.Search(q, 30, search.Options{Ef: 400})
	must(t, err)
	// Between the 20th and the 21st: a distance may differ in its last bit by how many rows are scored together. All rows
	// are walked, since how soon a narrower walk meets the last ones depends on the graph.
	epsilon := (want[19].Distance + want[20].Distance) / 2
	got, err := x.Search(q, 0, search.Options{Stop: search.Radius(epsilon, rows.Rows(), rows.Rows())})
	must(t, err)
	sameNeighbors(t, got, want[:20], 1e-6)
	for _, n := range want[:5] {
		must(t, x.Delete(n.Label))
	}
	got, err = x.Search(q, 10, search.Options{Ef: 400})
	must(t, err)
	sameNeighbors(t, got, want[5:15], 1e-6)
}

// TestCodesAreTrainedOnTheWay: rows added one by one are walked by rows at first and by codes later; when the data move
// away, codes follow.
func TestCodesAreTrainedOnTheWay(t *testing.T) {
	race.SkipSequential(t)
	const n, dim = 6000, 16
	x, err := New(Config{Dim: dim, Codes: Codes{Bits: 4}})
	must(t, err)
	defer x.Close()
	rows := matrix(t, randomRows(n, dim, 1), dim)
	for i := range n {
		v := decoded(rows, i)
		for j := range v {
			v[j] += float32(i/1500) * 3 // ever farther away
		}
		must(t, x.Add(uint64(i), v, AddOptions{}))
		trained := x.graph.Load().coder.Load() != nil
		if i < trainRows-1 && trained || i == trainRows && !trained {
			t.Fatalf("after %d rows: trained is %v", i+1, trained)
		}
	}
	center := x.graph.Load().coder.Load().q.values()[0]
	if center < 1 {
		t.Errorf("the center has stayed at %v", center)
	}
	found, v := 0, make([]float32, dim)
	for label := range uint64(n) {
		must(t, x.Vector(label, v))
		n, err := x.Search(v, 1, search.Options{})
		must(t, err)
		if n[0].Label == label {
			found++
		}
	}
	if found < n*99/100 {
		t.Errorf("only %d of %d are found by their own vector", found, n)
	}
}

// TestCodesAfterChurn: after half of the rows have been replaced, updated or deleted and added, recall is that of an
// index built afresh. Two graphs of the same rows differ by about a hundredth at a small ef, so several are compared.
func TestCodesAfterChurn(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	const graphs = 4
	rows, err := wordnet()
	must(t, err)
	n := min(rows.Rows(), 4000) / 2
	queries := rows.Slice(rows.Rows()-300, rows.Rows())
	// rows n to 1.5n take the places of the first half
	labels, present := make([]uint64, n), make([]float32, 0, n*rows.Dim())
	for i := range n {
		at := i
		if i < n/2 {
			at += n
		}
		labels[i] = uint64(i)
		present = append(present, decoded(rows, at)...)
	}
	all := matrix(t, present, rows.Dim())
	var expected [][]search.Neighbor
	for i := range queries.Rows() {
		expected = append(expected, nearest(Config{Dim: rows.Dim(), Metric: vector.Cosine}, all, labels,
			nil, decoded(queries, i), 10))
	}
	truth := func(row int) []search.Neighbor { return expected[row] }
	efs := []int{20, 50, 100}
	was, is := make([]float64, len(efs)), make([]float64, len(efs))
	for seed := range uint64(graphs) {
		c := Config{Metric: vector.Cosine, Codes: Codes{Bits: 2}, ReplaceDelete: true, Seed: seed + 1, EfConstruction: 100}
		worn, fresh := build(t, c, rows.Slice(0, n)), build(t, c, all)
		for i := range n / 2 {
			replaceRow(t, worn, uint64(i), decoded(rows, n+i), i%3)
		}
		for i, ef := range efs {
			was[i] += recall(t, worn.Search, queries, 10, search.Options{Ef: ef}, truth) / graphs
			is[i] += recall(t, fresh.Search, queries, 10, search.Options{Ef: ef}, truth) / graphs
		}
	}
	for i, ef := range efs {
		t.Logf("ef %d: recall@10 %.4f, built afresh %.4f", ef, was[i], is[i])
		if was[i] < is[i]-0.01 {
			t.Errorf("ef %d: recall@10 is %.4f, built afresh %.4f", ef, was[i], is[i])
		}
	}
}

// replaceRow gives a label another row, in one of three ways.
func replaceRow(t *testing.T, x *Index, label uint64, row []float32, way int) {
	t.Helper()
	if way > 0 {
		must(t, x.Delete(label))
	}
	if way > 1 {
		must(t, x.Undelete(label))
	}
	must(t, x.Add(label, row, AddOptions{ReplaceDeleted: way == 1}))
}

// TestCodedImagesComeBack: codes are part of what is saved; a restored index answers alike and goes on alike.
func TestCodedImagesComeBack(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	for _, bits := range []int{1, 2, 3, 4, 8} {
		t.Run(fmt.Sprint(bits), func(t *testing.T) {
			comesBack(t, Config{Codes: Codes{Kind: quant.Scalar, Bits: bits}}, matrix(t, randomRows(2000, 20, 3), 20))
		})
	}
}

// comesBack tests that an index of rows, restored from its image, answers alike and goes on alike.
func comesBack(t *testing.T, c Config, rows vector.Matrix) {
	t.Helper()
	x := build(t, c, rows)
	y, err := restored(x, func(*Image) {})
	must(t, err)
	defer y.Close()
	for _, i := range []int{0, 5, rows.Rows() - 1} {
		want, err := x.Search(decoded(rows, i), 10, search.Options{})
		must(t, err)
		got, err := y.Search(decoded(rows, i), 10, search.Options{})
		must(t, err)
		sameResults(t, got, want)
	}
	extra := randomRows(1, rows.Dim(), 77)
	must(t, x.Add(5000, extra, AddOptions{}))
	must(t, y.Add(5000, extra, AddOptions{}))
	if !bytes.Equal(contentOf(t, x.WithImage), contentOf(t, y.WithImage)) {
		t.Error("the restored index went on in another way")
	}
}

func TestCodesRefused(t *testing.T) {
	for name, c := range map[string]Config{
		"bits":          {Dim: 3, Codes: Codes{Bits: 7}},
		"kind":          {Dim: 3, Codes: Codes{Bits: 2, Kind: 5}},
		"dim":           {Dim: quant.MaxDim + 1, Codes: Codes{Bits: 2}},
		"custom metric": {Dim: 3, Codes: Codes{Bits: 2}, Custom: manhattan},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestSlack: a walk that may end early looks at fewer elements, the fewer the less slack it has, and finds about as
// much.
func TestSlack(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	x, rows := codedReal(t, 4)
	queries := rows.Slice(rows.Rows()-100, rows.Rows())
	truth := flatTruth(t, queries, 10, nil)
	distances := func(slack float32) (sum int) {
		for i := range queries.Rows() {
			var stats search.Stats
			_, err := x.Search(decoded(queries, i), 10, search.Options{Ef: 200, Slack: slack, Stats: &stats})
			must(t, err)
			sum += stats.Distances
		}
		return sum
	}
	all, some, few := distances(0), distances(0.3), distances(0.1)
	if few >= some || some >= all {
		t.Errorf("distances: %d without slack, %d with 0.3, %d with 0.1", all, some, few)
	}
	want := recall(t, x.Search, queries, 10, search.Options{Ef: 200}, truth)
	if got := recall(t, x.Search, queries, 10, search.Options{Ef: 200, Slack: 0.3}, truth); got < want-0.01 {
		t.Errorf("recall@10 is %.4f with slack, %.4f without", got, want)
	}
}

func TestReorder(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	for _, bits := range []int{0, 2} {
		rows, err := wordnet()
		must(t, err)
		x, err := New(Config{Dim: rows.Dim(), Metric: vector.Cosine, Codes: Codes{Bits: bits},
			Storage: vector.Float16, ReplaceDelete: true})
		must(t, err)
		defer x.Close()
		must(t, x.AddBatch(context.Background(), rows, nil, BatchOptions{}))
		must(t, x.Delete(5))
		var want [][]search.Neighbor
		for i := range 50 {
			found, err := x.Search(decoded(rows, i*7), 10, search.Options{Ef: 50})
			must(t, err)
			want = append(want, found)
		}
		must(t, x.Reorder())
		for i, w := range want {
			got, err := x.Search(decoded(rows, i*7), 10, search.Options{Ef: 50})
			must(t, err)
			sameResults(t, got, w)
		}
		must(t, x.WithImage((*Image).Check))
		soundBooks(t, x)
		must(t, x.Add(1<<40, decoded(rows, 0), AddOptions{ReplaceDeleted: true}))
		v := make([]float32, rows.Dim())
		must(t, x.Vector(100, v))
		if found, err := x.Search(v, 1, search.Options{}); err != nil || found[0].Label != 100 {
			t.Errorf("label 100 finds %v, %v", found, err)
		}
		soundBooks(t, x)
	}
}

// TestReorderBesideSearches: searches that overlap are answered rightly or refused.
func TestReorderBesideSearches(t *testing.T) {
	t.Parallel()
	x, rows := codedReal(t, 2)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for i := w; ; i = (i + 7) % 1000 {
				select {
				case <-done:
					return
				default:
				}
				found, err := x.Search(decoded(rows, i), 1, search.Options{})
				if err != nil && !errors.Is(err, ErrClosed) || err == nil && found[0].Distance > 1e-3 {
					t.Errorf("row %d: %v, %v", i, found, err)
					return
				}
			}
		})
	}
	reordered := 0
	for range 40 {
		if err := x.Reorder(); err == nil {
			reordered++
		} else if !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
	}
	close(done)
	wg.Wait()
	t.Logf("reordered %d times", reordered)
	must(t, x.Reorder())
	must(t, x.WithImage((*Image).Check))
}
