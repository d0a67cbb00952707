package pq

import (
	"bytes"
	"context"
	"flag"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/shale-search/shale/internal/datafile"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/vector"
)

func gaussian(n, dim int, seed uint64) vector.Matrix {
	rnd := rand.New(rand.NewPCG(seed, 1))
	data := make([]float32, n*dim)
	for i := range data {
		data[i] = float32(rnd.NormFloat64())
	}
	m, err := vector.Of(data, dim)
	if err != nil {
		panic(err)
	}
	return m
}

func trained(t testing.TB, rows vector.Matrix, c Config, o TrainOptions) (*Quantizer, []byte) {
	t.Helper()
	q, err := Train(context.Background(), rows, c, o)
	if err != nil {
		t.Fatal(err)
	}
	codes := make([]byte, rows.Rows()*q.Stride())
	if err := q.Encode(context.Background(), rows, 0, codes); err != nil {
		t.Fatal(err)
	}
	return q, codes
}

// distance computes what Scorer should give for a decoded code.
func distance(metric vector.Metric, squared bool, query, row []float32) float64 {
	var dot, l2 float64
	for i, v := range query {
		dot += float64(v) * float64(row[i])
		l2 += float64(v-row[i]) * float64(v-row[i])
	}
	switch {
	case metric == vector.L2 || squared:
		return l2
	case metric == vector.Cosine:
		return l2 / 2
	}
	return 1 - dot
}

func TestTableSumsAreDistancesToDecodedCodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Config{
			Metric:     rapid.SampledFrom([]vector.Metric{vector.L2, vector.IP, vector.Cosine}).Draw(t, "metric"),
			Subvectors: rapid.IntRange(1, 70).Draw(t, "m"), Bits: rapid.SampledFrom([]int{4, 8}).Draw(t, "bits"),
		}
		c.Centroids = rapid.IntRange(1, 1<<c.Bits).Draw(t, "centroids")
		c.Dim = c.Subvectors * rapid.IntRange(1, 5).Draw(t, "width")
		books := vector.Row[float32](gaussian(1, c.Centroids*c.Dim, 1), 0)
		q, err := New(c, books)
		if err != nil {
			t.Fatal(err)
		}
		rnd := rand.New(rand.NewPCG(2, 1))
		codes := make([]byte, 20*q.Stride())
		for i := range codes {
			codes[i] = byte(rnd.IntN(c.Centroids))
			if c.Bits == 4 && (c.Subvectors%2 == 0 || i%q.Stride() < q.Stride()-1) {
				codes[i] |= byte(rnd.IntN(c.Centroids)) << 4
			}
		}
		if err := q.CheckCodes(codes); err != nil {
			t.Fatal(err)
		}
		s := NewScorer(q, codes)
		squared := rapid.Bool().Draw(t, "squared")
		s.SquaredL2(squared)
		query := slices.Clone(vector.Row[float32](gaussian(1, c.Dim, 3), 0))
		if c.Metric == vector.Cosine {
			vector.Normalize(query)
		}
		copy(s.Query(), query)
		s.BindOwn()
		ids, out, row := []uint32{19, 0, 7, 7}, make([]float32, 4), make([]float32, c.Dim)
		s.Score(ids, out)
		rounding := float64(s.query.Step) / 2 * float64(c.Subvectors) // of the table's entries
		for i, id := range ids {
			q.Decode(codes[int(id)*q.Stride():], row)
			if want := distance(c.Metric, squared, query,
				row); math.Abs(want-float64(out[i])) > 1e-4*(1+math.Abs(want))+rounding {
				t.Fatalf("code %d: %v, should be %v", id, out[i], want)
			}
			if want, got := distance(c.Metric, squared, query, row),
				float64(s.Exact(id)); math.Abs(want-got) > 1e-4*(1+math.Abs(want)) {
				t.Fatalf("code %d: %v before the table is rounded, should be %v", id, got, want)
			}
		}
	})
}

func TestEncodeTakesTheNearestCentroid(t *testing.T) {
	for _, width := range []int{1, 2, 3, 8} {
		rows := gaussian(300, 4*width, 4)
		q, codes := trained(t, rows, Config{Dim: 4 * width, Subvectors: 4, Centroids: 50}, TrainOptions{})
		for i := range rows.Rows() {
			row := vector.Row[float32](rows, i)
			for m, got := range codes[i*4 : i*4+4] {
				book := q.book(m)
				v := row[m*width : (m+1)*width]
				best := math.Inf(1)
				for c := range 50 {
					best = min(best, distance(vector.L2, true, v, book[c*width:(c+1)*width]))
				}
				if d := distance(vector.L2, true, v, book[int(got)*width:(int(got)+1)*width]); d > best+1e-5 {
					t.Fatalf("width %d, row %d, place %d: centroid at %v, the nearest is at %v", width, i, m, d, best)
				}
			}
		}
	}
}

func TestTrainingIsRepeatableAndFits(t *testing.T) {
	rows := gaussian(2000, 8, 5)
	c := Config{Dim: 8, Subvectors: 4}
	a, codes := trained(t, rows, c, TrainOptions{Seed: 7, Threads: 1})
	b, _ := trained(t, rows, c, TrainOptions{Seed: 7, Threads: 4})
	if !slices.Equal(a.Books(), b.Books()) {
		t.Error("the same seed gave other books")
	}
	var off, length float64
	row := make([]float32, 8)
	for i := range rows.Rows() {
		a.Decode(codes[i*4:], row)
		off += distance(vector.L2, true, vector.Row[float32](rows, i), row)
		length += distance(vector.L2, true, vector.Row[float32](rows, i), make([]float32, 8))
	}
	if share := off / length; share > 0.02 { // 256 centroids of a plane leave about 1 %
		t.Errorf("codes leave %v of the rows' square", share)
	}
	same, err := vector.Of(make([]float32, 8*5), 8)
	if err != nil {
		t.Fatal(err)
	}
	q, codes := trained(t, same, c, TrainOptions{})
	q.Decode(codes, row)
	if !slices.Equal(row, make([]float32, 8)) {
		t.Errorf("zeros became %v", row)
	}
}

func TestMistakesAreErrors(t *testing.T) {
	ctx, rows := context.Background(), gaussian(10, 8, 6)
	bad := gaussian(10, 8, 6)
	vector.Row[float32](bad, 3)[2] = float32(math.NaN())
	ok := Config{Dim: 8, Subvectors: 4}
	for name, c := range map[string]Config{
		"dim":        {Dim: 0, Subvectors: 4},
		"subvectors": {Dim: 8, Subvectors: 3},
		"none":       {Dim: 8},
		"centroids":  {Dim: 8, Subvectors: 4, Centroids: 257},
		"metric":     {Dim: 8, Subvectors: 4, Metric: 9},
		"rows":       {Dim: 16, Subvectors: 4},
	} {
		if _, err := Train(ctx, rows, c, TrainOptions{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Train(ctx, bad, ok, TrainOptions{}); err == nil {
		t.Error("NaN: no error")
	}
	if _, err := New(ok, make([]float32, 7)); err == nil {
		t.Error("short books: no error")
	}
	if _, err := New(ok, slices.Repeat([]float32{float32(math.Inf(1))}, 256*8)); err == nil {
		t.Error("infinite books: no error")
	}
	q, codes := trained(t, rows, Config{Dim: 8, Subvectors: 4, Centroids: 5}, TrainOptions{})
	if err := q.Encode(ctx, rows, 0, codes[1:]); err == nil {
		t.Error("no room: no error")
	}
	if err := q.Encode(ctx, gaussian(2, 9, 1), 0, codes); err == nil {
		t.Error("wide rows: no error")
	}
	if q.CheckCodes(codes) != nil || q.CheckCodes(codes[1:]) == nil || q.CheckCodes(bytes.Repeat([]byte{5}, 4)) == nil {
		t.Error("CheckCodes")
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Train(ended, rows, ok, TrainOptions{}); err == nil {
		t.Error("cancelled: no error")
	}
}

func TestScoringDoesNotAllocate(t *testing.T) {
	rows := gaussian(50, 32, 7)
	q, codes := trained(t, rows, Config{Dim: 32, Subvectors: 16, Centroids: 16}, TrainOptions{})
	s := NewScorer(q, codes)
	ids, out := []uint32{1, 2, 3}, make([]float32, 3)
	if n := testing.AllocsPerRun(20, func() { s.BindRow(5); s.Prefetch(ids); s.Score(ids, out) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

var realRows = flag.String("pq.rows", "", "a file of rows for BenchmarkReal")
var (
	realBits    = flag.Int("pq.bits", 8, "bits a sub-vector, of 4 a value, for BenchmarkReal")
	realSample  = flag.Int("pq.sample", 0, "rows to train on for BenchmarkReal")
	realRounds  = flag.Int("pq.rounds", 0, "rounds of training for BenchmarkReal")
	realRotated = flag.Bool("pq.rotated", false, "rotate rows for BenchmarkReal")
)

var realQueries = flag.String("pq.queries", "", "a file of queries for BenchmarkReal")

// BenchmarkReal tells the recall of exhaustive search by codes on real rows, and what each step takes.
func BenchmarkReal(b *testing.B) {
	if *realRows == "" {
		b.Skip("give -pq.rows and -pq.queries")
	}
	rows, err := datafile.ReadAll(*realRows)
	if err != nil {
		b.Fatal(err)
	}
	queries, err := datafile.ReadAll(*realQueries)
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	c := Config{Dim: rows.Dim(), Metric: vector.Cosine, Subvectors: rows.Dim() * 4 / *realBits,
		Bits: *realBits, Rotated: *realRotated}
	q, err := Train(context.Background(), rows, c, TrainOptions{Sample: *realSample, Rounds: *realRounds})
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("train %v", time.Since(began))
	began = time.Now()
	codes := make([]byte, rows.Rows()*q.Stride())
	if err := q.Encode(context.Background(), rows, 0, codes); err != nil {
		b.Fatal(err)
	}
	b.Logf("encode %v", time.Since(began))
	exact, err := score.New(rows, vector.IP, nil)
	if err != nil {
		b.Fatal(err)
	}
	s := NewScorer(q, codes)
	ids, near, estimate := make([]uint32, rows.Rows()), make([]float32, rows.Rows()), make([]float32, rows.Rows())
	for i := range ids {
		ids[i] = uint32(i)
	}
	order := func(d []float32, n int) []uint32 {
		o := slices.Clone(ids)
		slices.SortFunc(o, func(a, b uint32) int {
			if d[a] < d[b] {
				return -1
			}
			return 1
		})
		return o[:n]
	}
	hits, among, asked := 0, 0, min(100, queries.Rows())
	var binding, scoring time.Duration
	for i := range asked {
		queries.Decode(i, exact.Query())
		vector.Normalize(exact.Query())
		copy(s.Query(), exact.Query())
		exact.BindOwn()
		exact.Score(ids, near)
		at := time.Now()
		s.BindOwn()
		binding += time.Since(at)
		at = time.Now()
		s.Score(ids, estimate)
		scoring += time.Since(at)
		truth, found := order(near, 10), order(estimate, 30)
		for r, id := range found {
			if slices.Contains(truth, id) {
				among++
				if r < 10 {
					hits++
				}
			}
		}
	}
	b.Logf("recall@10 %.4f from codes, %.4f within 30; table %v, %v a code", float64(hits)/float64(10*asked),
		float64(among)/float64(10*asked), binding/time.Duration(asked), scoring/time.Duration(asked*rows.Rows()))
}
