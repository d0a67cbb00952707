package collection

import (
	"cmp"
	"context"
	"math"
	"slices"

	"pgregory.net/rapid"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/vector"
)

// keepsExactRows reports whether rows of small whole numbers are kept as they are, but for their length with cosine.
func (v Vector) keepsExactRows() bool { return v.Rows != shale.RowsSQ8 && v.Rows != shale.RowsNone }

// anyValues draws a vector of whole numbers, which isn't 0.
func anyValues(r *rapid.T, v Vector) []float32 {
	values := make([]float32, v.Dim)
	for i := range values {
		values[i] = float32(rapid.IntRange(-9, 9).Draw(r, "value"))
	}
	if v.Metric == vector.Cosine && slices.Max(values) == 0 && slices.Min(values) == 0 {
		values[0] = 1
	}
	return values
}

// sameModelVector compares a vector, nil if there is none, with that of a collection.
func sameModelVector(v Vector, want, got []float32) bool {
	if len(want) != len(got) {
		return false
	}
	if want == nil || v.Rows == shale.RowsNone {
		return !slices.ContainsFunc(got, func(x float32) bool { return math.IsNaN(float64(x)) })
	}
	off := 0.0
	if v.Metric == vector.Cosine {
		want, got, off = slices.Clone(want), slices.Clone(got), 0.001
		vector.Normalize(want)
		vector.Normalize(got)
	}
	if !v.keepsExactRows() {
		off = 0.5 // it may have been rounded several times
	}
	for i := range want {
		if math.Abs(float64(want[i]-got[i])) > off {
			return false
		}
	}
	return true
}

// modelDistance returns a distance, which is exact but for cosine.
func modelDistance(m vector.Metric, a, b []float32) (d float32) {
	if m == vector.Cosine {
		a, b = slices.Clone(a), slices.Clone(b)
		vector.Normalize(a)
		vector.Normalize(b)
	}
	if m != vector.L2 {
		d = 1
	}
	for i := range a {
		if m == vector.L2 {
			d += (a[i] - b[i]) * (a[i] - b[i])
		} else {
			d -= a[i] * b[i]
		}
	}
	return d
}

// compareSearch compares queries with an exact search.
func (r *modelRun) compareSearch() {
	v := rapid.SampledFrom(r.schema.Vectors).Draw(r.T, "searched")
	near, k := anyValues(r.T, v), rapid.IntRange(1, 40).Draw(r.T, "k")
	var distances []float32
	for _, d := range r.model {
		if there := d.vectors[v.Name]; there != nil {
			distances = append(distances, modelDistance(v.Metric, near, there))
		}
	}
	slices.SortFunc(distances, cmp.Compare)
	for _, exact := range []bool{true, false} {
		q := Query{Vector: v.Name, Near: [][]float32{near}, K: k, Exact: exact, Fields: Fields{Payload: true, Vectors: true}}
		hits, err := r.c.Query(context.Background(), q)
		if err != nil {
			r.Fatal(err)
		}
		r.compareHits(v, q, hits[0], distances)
	}
}

// compareHits compares what a query found with the distances of all documents that have the vector.
func (r *modelRun) compareHits(v Vector, q Query, hits []Hit, distances []float32) {
	if len(hits) != min(q.K, len(distances)) {
		r.Fatalf("%d documents of %d were found, k is %d, exact %v", len(hits), len(distances), q.K, q.Exact)
	}
	seen := map[ID]bool{}
	for i, h := range hits {
		d, there := r.model[h.ID]
		if !there || seen[h.ID] || !r.same(d, h.Document) || i > 0 && h.Distance < hits[i-1].Distance {
			r.Fatalf("hit %d is %s, there %v, of the model %+v", i, text(r, h), there, d)
		}
		seen[h.ID] = true
		if !v.keepsExactRows() {
			continue
		}
		off := float32(0)
		if v.Metric == vector.Cosine {
			off = 0.002
		}
		own := modelDistance(v.Metric, q.Near[0], d.vectors[v.Name])
		if abs(h.Distance-own) > off || q.Exact && abs(h.Distance-distances[i]) > off {
			r.Fatalf("hit %d is %s, of the model %+v at %g; distances %v", i, text(r, h), d, own, distances)
		}
	}
}

func abs(x float32) float32 { return max(x, -x) }
