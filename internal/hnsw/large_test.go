package hnsw

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// TestTooLargeVectors: what would make distances infinite is refused, as too large and not as
// NaN, and what wouldn't is found.
func TestTooLargeVectors(t *testing.T) {
	const dim = 8
	row := func(v float32) []float32 {
		r := make([]float32, dim)
		for i := range r {
			r[i] = v
		}
		return r
	}
	for name, c := range map[string]Config{
		"rows": {}, "codes": {Codes: Codes{Bits: 4}}, "halves": {Storage: vector.Float16},
		"scaled bytes": {Storage: rowtype.ScaledInt8, Codes: Codes{Bits: 4}},
		"codes alone":  {Storage: rowtype.NoRows, Codes: Codes{Bits: 8}},
	} {
		for _, metric := range []vector.Metric{vector.L2, vector.IP} {
			c.Dim, c.Metric = dim, metric
			x, err := New(c)
			must(t, err)
			defer x.Close()
			for _, large := range []float32{3e38, 1e19, 4e18, -4e18} {
				err := x.Add(1, row(large), AddOptions{})
				batch := x.AddBatch(context.Background(), matrix(t, append(row(1), row(large)...), dim), nil, BatchOptions{})
				for _, err := range []error{err, batch} {
					if !errors.Is(err, ErrTooLarge) || errors.Is(err, ErrNotFinite) || strings.Contains(err.Error(), "NaN") {
						t.Errorf("%s, %v, %v: %v", name, metric, large, err)
					}
				}
				if x.Len() != 0 {
					t.Fatalf("%s, %v: %d elements were added", name, metric, x.Len())
				}
			}
			fine := float32(2e18)
			if c.Storage == vector.Float16 {
				fine = 65504
			}
			must(t, x.Add(1, row(fine), AddOptions{}))
			must(t, x.Add(2, row(-fine), AddOptions{}))
			for _, query := range []float32{fine, -fine, 0} {
				found, err := x.Search(row(query), 2, search.Options{})
				must(t, err)
				if len(found) != 2 {
					t.Fatalf("%s, %v: %d results", name, metric, len(found))
				}
				for _, f := range found {
					if d := float64(f.Distance); math.IsInf(d, 0) || math.IsNaN(d) {
						t.Errorf("%s, %v, query %v: %v", name, metric, query, f)
					}
				}
				if query > 0 && found[0].Label != 1 || query < 0 && found[0].Label != 2 {
					t.Errorf("%s, %v, query %v: %v", name, metric, query, found)
				}
			}
			if _, err := x.Search(row(1e19), 1, search.Options{}); !errors.Is(err, ErrTooLarge) {
				t.Errorf("%s, %v: a query too large gives %v", name, metric, err)
			}
		}
	}
}

// TestLargeVectorsByCosine: lengths don't matter.
func TestLargeVectorsByCosine(t *testing.T) {
	x, err := New(Config{Dim: 2, Metric: vector.Cosine})
	must(t, err)
	defer x.Close()
	must(t, x.Add(1, []float32{3e38, 3e38}, AddOptions{}))
	must(t, x.Add(2, []float32{3e38, -3e38}, AddOptions{}))
	found, err := x.Search([]float32{1e38, 1e38}, 2, search.Options{})
	must(t, err)
	if found[0].Label != 1 || found[0].Distance > 1e-6 || math.Abs(float64(found[1].Distance)-1) > 1e-6 {
		t.Errorf("got %v", found)
	}
}

func TestTooLargeSaysForWhat(t *testing.T) {
	x, err := New(Config{Dim: 2, Storage: vector.Float16})
	must(t, err)
	defer x.Close()
	want := "fp16: value 0 is 70000, and they hold up to 65504"
	if err := x.Add(1, []float32{70000, 0}, AddOptions{}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}
