package eval_test

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/eval"
	"github.com/shale-search/shale/internal/exact"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/testrows"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

var ctx = context.Background()

func row(m vector.Matrix, i int) []float32 {
	v := make([]float32, m.Dim())
	m.Decode(i, v)
	return v
}

// byDistance orders neighbours: nearest first, ties by smaller label.
func byDistance(a, b search.Neighbor) int {
	return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Label, b.Label))
}

// naive is the definition of the k nearest.
func naive(rows, queries vector.Matrix, metric vector.Metric, k int) (labels [][]uint64) {
	for q := range queries.Rows() {
		all := make([]search.Neighbor, rows.Rows())
		for i := range all {
			a, b := row(rows, i), row(queries, q)
			if metric == vector.Cosine {
				vector.Normalize(a)
				vector.Normalize(b)
			}
			d := 0.0
			for j := range a {
				if metric == vector.L2 {
					d += float64(a[j]-b[j]) * float64(a[j]-b[j])
				} else {
					d -= float64(a[j]) * float64(b[j])
				}
			}
			all[i] = search.Neighbor{Label: uint64(i), Distance: float32(d)}
		}
		slices.SortFunc(all, byDistance)
		var found []uint64
		for _, n := range all[:min(k, len(all))] {
			found = append(found, n.Label)
		}
		labels = append(labels, found)
	}
	return labels
}

func TestGroundTruthIsTheDefinition(t *testing.T) {
	for _, metric := range []vector.Metric{vector.L2, vector.IP} { // their sums of whole numbers are exact in any order
		for _, shape := range [][3]int{{700, 5, 10}, {3000, 40, 3}, {4, 7, 10}} {
			rows, queries := testrows.WholeNumbers(t, shape[0], shape[1], 4, 1), testrows.WholeNumbers(t, 33, shape[1], 4, 2)
			want := naive(rows, queries, metric, shape[2])
			for _, threads := range []int{1, 3} {
				truth, err := eval.GroundTruth(ctx, rows, queries, metric, shape[2], threads)
				if err != nil {
					t.Fatal(err)
				}
				for q := range want {
					if !slices.Equal(truth.Labels[q], want[q]) {
						t.Fatalf("%v, %v, query %d: %v, want %v", metric, shape, q, truth.Labels[q], want[q])
					}
				}
			}
		}
	}
}

func TestExactTakesRowsInBlocks(t *testing.T) {
	rows, queries := testrows.WholeNumbers(t, 500, 6, 50, 1), testrows.WholeNumbers(t, 20, 6, 50, 2)
	whole, err := eval.GroundTruth(ctx, rows, queries, vector.Cosine, 9, 2)
	if err != nil {
		t.Fatal(err)
	}
	e, err := exact.New(queries, vector.Cosine, 9, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, cut := range [][2]int{{300, 500}, {0, 1}, {1, 300}} {
		label := func(i int) (uint64, bool) { return uint64(cut[0] + i), true }
		if err := e.Add(ctx, rows.Slice(cut[0], cut[1]), label); err != nil {
			t.Fatal(err)
		}
	}
	nearest, _ := e.Nearest()
	for q, labels := range nearest {
		if !slices.Equal(labels, whole.Labels[q]) {
			t.Fatalf("query %d: %v, want %v", q, labels, whole.Labels[q])
		}
	}
}

func TestExactRefusesAndEnds(t *testing.T) {
	queries := testrows.WholeNumbers(t, 3, 4, 9, 1)
	if _, err := exact.New(queries, vector.L2, 0, 1); err == nil {
		t.Fatal("k of 0")
	}
	if _, err := eval.GroundTruth(ctx, testrows.WholeNumbers(t, 3, 5, 9, 1), queries, vector.L2,
		1, 1); !errors.Is(err, vector.ErrDim) {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := eval.GroundTruth(ended, testrows.WholeNumbers(t, 3, 4, 9, 1), queries, vector.L2, 1,
		1); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestHits(t *testing.T) {
	truth := &eval.Truth{
		Labels:    [][]uint64{{1, 2, 3, 4}, {5}},
		Distances: [][]float32{{0, 1, 2, 2}, {3}},
	}
	for _, c := range []struct {
		what  string
		q, k  int
		found []search.Neighbor
		hits  int
		of    int
	}{
		{"all", 0, 3, []search.Neighbor{{Label: 1}, {Label: 2, Distance: 1}, {Label: 3, Distance: 2}}, 3, 3},
		{"a tie at the end", 0, 3, []search.Neighbor{{Label: 1}, {Label: 2, Distance: 1}, {Label: 9, Distance: 2}}, 3, 3},
		{"nearly a tie", 0, 3, []search.Neighbor{{Label: 1}, {Label: 2, Distance: 1}, {Label: 9, Distance: 2.0001}}, 2, 3},
		{"nearer than the last, but none of them", 0, 3, []search.Neighbor{{Label: 8, Distance: 0.5}}, 0, 3},
		{"more than k", 0, 2, []search.Neighbor{{Label: 3}, {Label: 4}, {Label: 1}, {Label: 2}}, 0, 2},
		{"none", 0, 3, nil, 0, 3},
		{"fewer known than k", 1, 3, []search.Neighbor{{Label: 5, Distance: 3}, {Label: 6, Distance: 4}}, 1, 1},
	} {
		if hits, of := truth.Hits(c.q, c.found, c.k); hits != c.hits || of != c.of {
			t.Errorf("%s: %d of %d, want %d of %d", c.what, hits, of, c.hits, c.of)
		}
	}
}

func index(t *testing.T, rows vector.Matrix, o shale.BuildOptions) *shale.Index {
	t.Helper()
	o.Threads = 1 // the same graph every time
	x, err := shale.Build(ctx, rows, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func TestIndexTruthPassesOverDeleted(t *testing.T) {
	rows, queries := testrows.WholeNumbers(t, 300, 6, 40, 1), testrows.WholeNumbers(t, 10, 6, 40, 2)
	x := index(t, rows, shale.BuildOptions{})
	before, err := eval.IndexTruth(ctx, x, queries, 5, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := naive(rows, queries, vector.L2, 5)
	for q := range want {
		if !slices.Equal(before.Labels[q], want[q]) {
			t.Fatalf("query %d: %v, want %v", q, before.Labels[q], want[q])
		}
	}
	gone := before.Labels[0][0]
	if err := x.Delete(gone); err != nil {
		t.Fatal(err)
	}
	after, err := eval.IndexTruth(ctx, x, queries, 5, 1)
	if err != nil || slices.Contains(after.Labels[0], gone) {
		t.Fatalf("%v holds %d, %v", after.Labels[0], gone, err)
	}
}

func TestDuplicatesDontLowerRecall(t *testing.T) {
	one, queries := testrows.WholeNumbers(t, 1, 6, 40, 1), testrows.WholeNumbers(t, 1, 6, 40, 2)
	x := index(t, one, shale.BuildOptions{})
	for label := range uint64(50) {
		if err := x.Add(label, row(one, 0)); err != nil {
			t.Fatal(err)
		}
	}
	truth := &eval.Truth{Labels: [][]uint64{{41, 42, 43}}} // as good as any other three
	points, err := eval.Sweep(ctx, x, queries, truth, []int{60}, eval.Options{K: 3})
	if err != nil || points[0].Recall != 1 {
		t.Fatalf("%+v, %v", points, err)
	}
}

func TestSweep(t *testing.T) {
	rows, queries := testrows.WholeNumbers(t, 1500, 12, 100, 1), testrows.WholeNumbers(t, 60, 12, 100, 2)
	x := index(t, rows, shale.BuildOptions{M: 4, EfConstruction: 20})
	truth, err := eval.GroundTruth(ctx, rows, queries, vector.L2, 10, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, threads := range []int{1, 4} {
		o := eval.Options{Threads: threads, MinTime: 20 * time.Millisecond}
		points, err := eval.Sweep(ctx, x, queries, truth, []int{10, 40, 1500}, o)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range points {
			if p.QPS <= 0 || p.P50 <= 0 || p.P50 > p.P95 || p.P95 > p.P99 || p.Distances < 10 {
				t.Errorf("implausible: %+v", p)
			}
			if i > 0 && p.Recall <= points[i-1].Recall {
				t.Errorf("ef %d finds no more than ef %d", p.Ef, points[i-1].Ef)
			}
		}
		if p := points[2]; p.Recall < 0.99 {
			t.Errorf("recall %v with an ef of all rows", p.Recall)
		}
	}
}

func TestSweepRefuses(t *testing.T) {
	rows, queries := testrows.WholeNumbers(t, 50, 4, 9, 1), testrows.WholeNumbers(t, 5, 4, 9, 2)
	x := index(t, rows, shale.BuildOptions{})
	good, err := eval.GroundTruth(ctx, rows, queries, vector.L2, 10, 1)
	if err != nil {
		t.Fatal(err)
	}
	efs := []int{10}
	if _, err := eval.Sweep(ctx, x, queries, &eval.Truth{Labels: good.Labels[:4]}, efs, eval.Options{}); err == nil {
		t.Error("the truth of other queries")
	}
	if _, err := eval.Sweep(ctx, x, queries, &eval.Truth{Labels: make([][]uint64, 5)}, efs, eval.Options{}); err == nil {
		t.Error("an empty truth")
	}
	_, err = eval.Sweep(ctx, x, testrows.WholeNumbers(t, 5, 3, 9, 1), good, efs, eval.Options{})
	if !errors.Is(err, vector.ErrDim) {
		t.Errorf("queries of another dimension: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := eval.Sweep(ended, x, queries, good, efs, eval.Options{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestShortTruth: recall@k isn't measured by fewer than k true neighbours, unless the index has no more rows.
func TestShortTruth(t *testing.T) {
	rows, queries := testrows.WholeNumbers(t, 200, 4, 9, 1), testrows.WholeNumbers(t, 5, 4, 9, 2)
	x := index(t, rows, shale.BuildOptions{})
	truth, err := eval.GroundTruth(ctx, rows, queries, vector.L2, 10, 1)
	if err != nil {
		t.Fatal(err)
	}
	var short *eval.ShortTruthError
	if _, err := eval.Sweep(ctx, x, queries, truth, []int{20}, eval.Options{K: 11}); !errors.As(err, &short) ||
		short.Known != 10 || short.K != 11 {
		t.Errorf("recall@11 by 10 neighbours: %v", err)
	}
	if _, err := eval.Tune(ctx, x, queries, truth, 0.5, 200, eval.Options{K: 11}); !errors.As(err, &short) {
		t.Errorf("tuned for recall@11 by 10 neighbours: %v", err)
	}
	truth.Labels[3] = truth.Labels[3][:9]
	if _, err := eval.Sweep(ctx, x, queries, truth, []int{20}, eval.Options{}); !errors.As(err, &short) ||
		short.Query != 3 {
		t.Errorf("a query with 9 neighbours: %v", err)
	}

	few := testrows.WholeNumbers(t, 6, 4, 9, 1)
	x = index(t, few, shale.BuildOptions{})
	if truth, err = eval.GroundTruth(ctx, few, queries, vector.L2, 10, 1); err != nil {
		t.Fatal(err)
	}
	points, err := eval.Sweep(ctx, x, queries, truth, []int{20}, eval.Options{K: 1 << 30})
	if err != nil || points[0].Recall != 1 {
		t.Errorf("all of 6 rows: %+v, %v", points, err)
	}
}

func TestTuneFindsTheSmallestEf(t *testing.T) {
	rows, queries := testrows.WholeNumbers(t, 2000, 16, 100, 1), testrows.WholeNumbers(t, 80, 16, 100, 2)
	x := index(t, rows, shale.BuildOptions{M: 5, EfConstruction: 30})
	truth, err := eval.GroundTruth(ctx, rows, queries, vector.L2, 10, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, wanted := range []float64{0.3, 0.8, 0.95} {
		p, err := eval.TuneEf(ctx, x, queries, truth, wanted, 2000, eval.Options{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		around, err := eval.Sweep(ctx, x, queries, truth, []int{p.Ef, max(p.Ef-1, 10)}, eval.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if around[0].Recall < wanted || p.Recall != around[0].Recall {
			t.Errorf("ef %d gives %v, told %v, wanted %v", p.Ef, around[0].Recall, p.Recall, wanted)
		}
		if p.Ef > 10 && around[1].Recall >= wanted {
			t.Errorf("ef %d suffices for %v, told %d", p.Ef-1, wanted, p.Ef)
		}
	}
	var short *eval.RecallError
	if _, err := eval.TuneEf(ctx, x, queries, truth, 0.99, 12, eval.Options{}); !errors.As(err, &short) || short.Ef != 12 {
		t.Fatal(err)
	}
	if _, err := eval.TuneEf(ctx, x, queries, truth, 1.01, 12, eval.Options{}); err == nil {
		t.Fatal("a recall above 1")
	}
}

// TestTuneEffort: whatever setting is chosen reaches the recall; with a slack it needs fewer distances than without.
func TestTuneEffort(t *testing.T) {
	rows, queries := testrows.WholeNumbers(t, 4000, 12, 100, 1), testrows.WholeNumbers(t, 100, 12, 100, 2)
	x := index(t, rows, shale.BuildOptions{M: 6, EfConstruction: 40})
	truth, err := eval.GroundTruth(ctx, rows, queries, vector.L2, 10, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, wanted := range []float64{0.5, 0.9, 0.99} {
		p, err := eval.Tune(ctx, x, queries, truth, wanted, 4000, eval.Options{})
		if err != nil {
			t.Fatal(err)
		}
		plain, err := eval.TuneEf(ctx, x, queries, truth, wanted, 4000, eval.Options{})
		if err != nil {
			t.Fatal(err)
		}
		again, err := eval.Sweep(ctx, x, queries, truth, []int{p.Ef}, eval.Options{Search: search.Options{Slack: p.Slack}})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%v: ef %d, slack %v, %.0f distances; ef %d alone %.0f", wanted, p.Ef, p.Slack,
			p.Distances, plain.Ef, plain.Distances)
		if again[0].Recall < wanted || again[0].Recall != p.Recall || p.QPS <= 0 {
			t.Errorf("%+v for %v, measured again %+v", p, wanted, again[0])
		}
		if p.Slack == 0 && p.Ef != plain.Ef || p.Slack != 0 && p.Distances >= plain.Distances {
			t.Errorf("%+v for %v, ef alone %+v", p, wanted, plain)
		}
	}
	var short *eval.RecallError
	if _, err := eval.Tune(ctx, x, queries, truth, 1, 10, eval.Options{}); !errors.As(err, &short) {
		t.Error(err)
	}
}

// TestTuneShards: of an index of several shards a smaller share is taken where it suffices, and the true neighbours
// come from the index itself.
func TestTuneShards(t *testing.T) {
	race.SkipSequential(t)
	rows, queries := testrows.WholeNumbers(t, 6000, 12, 100, 1), testrows.WholeNumbers(t, 100, 12, 100, 2)
	dir := filepath.Join(t.TempDir(), "index")
	o := shale.BuildOptions{Path: dir, M: 8, EfConstruction: 60, Shards: 6, Copies: 1.5, Threads: 1}
	x, err := shale.Build(ctx, rows, o)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	truth, err := eval.IndexTruth(ctx, x, queries, 10, 2)
	if err != nil {
		t.Fatal(err)
	}
	direct, err := eval.GroundTruth(ctx, rows, queries, vector.L2, 10, 2)
	if err != nil {
		t.Fatal(err)
	}
	for q := range truth.Labels {
		if !slices.Equal(truth.Labels[q], direct.Labels[q]) {
			t.Fatalf("query %d: %v by the index, %v by the rows", q, truth.Labels[q], direct.Labels[q])
		}
	}
	const wanted = 0.8
	p, err := eval.Tune(ctx, x, queries, truth, wanted, 6000,
		eval.Options{Search: search.Options{Share: 1}, Shares: []float64{0.98, 0.9}})
	if err != nil {
		t.Fatal(err)
	}
	again, err := eval.Sweep(ctx, x, queries, truth, []int{p.Ef},
		eval.Options{Search: search.Options{Slack: p.Slack, Share: p.Share}})
	if err != nil {
		t.Fatal(err)
	}
	if again[0].Recall < wanted || again[0].Recall != p.Recall || p.Share == 0 {
		t.Errorf("%+v, measured again %+v", p, again[0])
	}
}
