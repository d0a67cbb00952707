package pq

import (
	"context"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/vector"
)

// TestEstimatesKeepWithinBounds: of rows that the codebooks weren't trained on, near and far, about as many estimates
// are off by more than Bound as it says, or fewer.
func TestEstimatesKeepWithinBounds(t *testing.T) {
	for _, metric := range []vector.Metric{vector.L2, vector.IP, vector.Cosine} {
		for _, c := range []Config{
			{Subvectors: 8}, {Subvectors: 16, Bits: 4}, {Subvectors: 2}, {Subvectors: 4, Rotated: true},
			{Subvectors: 32, Bits: 4},
		} {
			c.Dim, c.Metric = 32, metric
			all := gaussian(3000, 32, 8)
			q, _ := trained(t, all.Slice(0, 1500), c, TrainOptions{})
			rest := all.Slice(1500, 3000)
			codes := make([]byte, q.Bytes(1500))
			if err := q.Encode(context.Background(), rest, 0, codes); err != nil {
				t.Fatal(err)
			}
			exact, err := score.New(rest, metric, nil)
			if metric == vector.Cosine {
				exact, err = score.New(unit(t, rest), metric, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			s := NewScorer(q, codes)
			over, pairs, widest := 0, 0, float32(0)
			ids, want, got := make([]uint32, 1500), make([]float32, 1500), make([]float32, 1500)
			for i := range ids {
				ids[i] = uint32(i)
			}
			for i := range 30 {
				exact.BindRow(uint32(i * 50))
				rest.Decode(i*50, s.Query())
				if metric == vector.Cosine {
					vector.Normalize(s.Query())
				}
				s.BindOwn()
				exact.Score(ids, want)
				s.Score(ids, got)
				for j := range ids {
					bound := s.Bound(ids[j], got[j])
					widest = max(widest, bound)
					if pairs++; float32(math.Abs(float64(want[j]-got[j]))) > bound {
						over++
					}
				}
			}
			if share := float64(over) / float64(pairs); share > 2*overBound {
				t.Errorf("%v, %+v: %.4f of the estimates are off by more than their bound", metric, c, share)
			}
			if spread := slices.Max(want) - slices.Min(want); widest > spread {
				t.Errorf("%v, %+v: a bound of %v, distances differ by %v", metric, c, widest, spread)
			}
		}
	}
}

// unit is rows at length 1.
func unit(t *testing.T, rows vector.Matrix) vector.Matrix {
	t.Helper()
	dim := rows.Dim()
	data := make([]float32, rows.Rows()*dim)
	for i := range rows.Rows() {
		rows.Decode(i, data[i*dim:(i+1)*dim])
		vector.Normalize(data[i*dim : (i+1)*dim])
	}
	m, err := vector.Of(data, dim)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestUnknownErrorsBoundNothing: a quantizer of codebooks alone rules out no row.
func TestUnknownErrorsBoundNothing(t *testing.T) {
	q, err := New(Config{Dim: 4, Subvectors: 2}, make([]float32, 256*4))
	if err != nil {
		t.Fatal(err)
	}
	s := NewScorer(q, make([]byte, 2))
	s.BindOwn()
	if b := s.Bound(0, 1); !math.IsInf(float64(b), 1) {
		t.Errorf("the bound is %v", b)
	}
	measured, err := q.WithErrors(context.Background(), gaussian(100, 4, 1))
	if err != nil {
		t.Fatal(err)
	}
	if e := measured.Errors(); !(e.Length > 0 && e.Distortion > 0) || q.Errors() != (Errors{}) {
		t.Errorf("measured %v, before %v", e, q.Errors())
	}
}

// TestRotationLosesLess: of rows whose values hang together, codes of rotated rows lose less, and the rotation is
// orthogonal.
func TestRotationLosesLess(t *testing.T) {
	const n, dim = 2000, 16
	free := gaussian(n, dim, 3)
	data, row := make([]float32, n*dim), make([]float32, dim)
	for i := range n { // values of which the first are the largest, some of them sums
		free.Decode(i, row)
		for j := range dim {
			data[i*dim+j] = row[j] / float32(1+j)
			if j >= 8 {
				data[i*dim+j] += row[j-8] / 4
			}
		}
	}
	rows, err := vector.Of(data, dim)
	if err != nil {
		t.Fatal(err)
	}
	for _, bits := range []int{4, 8} {
		c := Config{Dim: dim, Subvectors: 8, Bits: bits}
		plain, _ := trained(t, rows, c, TrainOptions{Seed: 1})
		c.Rotated = true
		rotated, codes := trained(t, rows, c, TrainOptions{Seed: 1})
		if a, b := plain.Errors().Distortion, rotated.Errors().Distortion; b > 0.8*a {
			t.Errorf("%d bits: codes lose %v, rotated %v", bits, a, b)
		}
		for i := range dim {
			for j := range dim {
				var product, want float64
				for k := range dim {
					product += float64(rotated.rotation[i*dim+k]) * float64(rotated.rotation[j*dim+k])
				}
				if i == j {
					want = 1
				}
				if math.Abs(product-want) > 1e-5 {
					t.Fatalf("rows %d and %d of the rotation: their product is %v", i, j, product)
				}
			}
		}
		measured, err := rotated.WithErrors(context.Background(), rows)
		if err != nil {
			t.Fatal(err)
		}
		var off float64
		got := make([]float32, dim)
		for i := range n {
			rotated.Decode(codes[i*rotated.Stride():(i+1)*rotated.Stride()], got)
			off += distance(vector.L2, true, got, vector.Row[float32](rows, i))
		}
		if share := off / n / float64(measured.Errors().Distortion); share < 0.99 || share > 1.01 {
			t.Errorf("%d bits: codes are off by %v of what was measured", bits, share)
		}
	}
}

// TestQuantizersComeBack: what Params gives makes a quantizer of the same codes, also one by one, and of the same
// estimates.
func TestQuantizersComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Config{
			Metric:     rapid.SampledFrom([]vector.Metric{vector.L2, vector.IP, vector.Cosine}).Draw(t, "metric"),
			Subvectors: rapid.IntRange(1, 9).Draw(t, "m"), Bits: rapid.SampledFrom([]int{4, 8}).Draw(t, "bits"),
			Rotated: rapid.Bool().Draw(t, "rotated"),
		}
		c.Dim = c.Subvectors * rapid.IntRange(1, 3).Draw(t, "width")
		rows := gaussian(40, c.Dim, rapid.Uint64().Draw(t, "seed"))
		q, err := Train(context.Background(), rows, c, TrainOptions{Rounds: 2, Turns: 2})
		if err != nil {
			t.Fatal(err)
		}
		again, err := Restore(c, q.Params())
		if err != nil {
			t.Fatal(err)
		}
		if again.Config() != q.Config() || again.Errors() != q.Errors() || len(q.Params()) != c.Params() {
			t.Fatalf("%+v, %v became %+v, %v", q.Config(), q.Errors(), again.Config(), again.Errors())
		}
		codes, one := make([]byte, q.Bytes(40)), make([]byte, q.Stride())
		if err := q.Encode(context.Background(), rows, 0, codes); err != nil {
			t.Fatal(err)
		}
		if err := again.CheckCodes(codes); err != nil {
			t.Fatal(err)
		}
		e, v, w := again.NewEncoder(), make([]float32, c.Dim), make([]float32, c.Dim)
		for i := range 40 {
			code := codes[q.Bytes(i):q.Bytes(i+1)]
			if e.Encode(one, vector.Row[float32](rows, i)); !slices.Equal(one, code) {
				t.Fatalf("row %d: %v alone, %v together", i, one, code)
			}
			q.Decode(code, v)
			if e.Decode(w, code); !slices.Equal(v, w) {
				t.Fatalf("row %d: %v and %v", i, v, w)
			}
		}
		a, b := NewScorer(q, codes), NewScorer(again, codes)
		a.BindRow(7)
		b.BindRow(7)
		x, y := make([]float32, 3), make([]float32, 3)
		a.Score([]uint32{1, 7, 39}, x)
		b.Score([]uint32{1, 7, 39}, y)
		if !slices.Equal(x, y) {
			t.Fatalf("%v and %v", x, y)
		}
	})
}

func TestDamagedParamsAreRefused(t *testing.T) {
	c := Config{Dim: 4, Subvectors: 2, Bits: 4, Rotated: true}
	q, _ := trained(t, gaussian(20, 4, 2), c, TrainOptions{})
	good := q.Params()
	for at, v := range map[int]float32{
		0: -1, 1: float32(math.NaN()), 2: float32(math.Inf(1)), len(good) - 1: float32(math.NaN()),
	} {
		bad := slices.Clone(good)
		bad[at] = v
		if _, err := Restore(c, bad); err == nil {
			t.Errorf("value %d is %v: no error", at, v)
		}
	}
	if _, err := Restore(c, good[1:]); err == nil {
		t.Error("too few: no error")
	}
	if _, err := New(c, good[2:66]); err == nil {
		t.Error("no rotation: no error")
	}
}

// TestRowsHeldOutAreOthers: rows held out and the rest are all rows, each once.
func TestRowsHeldOutAreOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3000).Draw(t, "n")
		s := spread{n: n, held: rapid.IntRange(0, n/heldShare).Draw(t, "held")}
		var all []int
		for i := range s.held {
			all = append(all, s.out(i))
		}
		for i := range n - s.held {
			all = append(all, s.rest(i))
		}
		slices.Sort(all)
		for i, at := range all {
			if i != at {
				t.Fatalf("row %d is missing or comes twice", i)
			}
		}
	})
}

// TestLongRowsAreRefused: rows whose products are no numbers give an error, or codes.
func TestLongRowsAreRefused(t *testing.T) {
	long := gaussian(100, 8, 4)
	for i := range long.Rows() {
		for j := range vector.Row[float32](long, i) {
			vector.Row[float32](long, i)[j] *= 1e30
		}
	}
	for _, metric := range []vector.Metric{vector.L2, vector.IP, vector.Cosine} {
		c := Config{Dim: 8, Subvectors: 4, Metric: metric, Rotated: true}
		if _, err := Train(context.Background(), long, c, TrainOptions{}); (err == nil) != (metric == vector.Cosine) {
			t.Errorf("%v: rotated, %v", metric, err)
		}
		c.Rotated = false
		if q, err := Train(context.Background(), long, c, TrainOptions{}); err == nil {
			s := NewScorer(q, make([]byte, q.Bytes(3)))
			s.BindRow(1)
			s.Score([]uint32{0, 1, 2}, make([]float32, 3))
		}
	}
}
