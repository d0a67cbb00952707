package collection

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/shale-search/shale/vector"
)

// boundCase returns a collection of several sealed segments of different sizes, with codes, and its vectors.
func boundCase(t *testing.T, segments ...int) (*Collection, [][]float32) {
	t.Helper()
	const dim = 32
	c := created(t, Schema{Vectors: []Vector{{Dim: dim, Metric: vector.L2}}}, Options{idle: true})
	rnd := rand.New(rand.NewPCG(4, 9))
	var all [][]float32
	for _, rows := range segments {
		var batch []Document
		for range rows {
			v := make([]float32, dim)
			for i := range v {
				v[i] = float32(rnd.NormFloat64())
			}
			batch = append(batch, Document{ID: NumberID(uint64(len(all))), Vector: v})
			all = append(all, v)
		}
		mustUpsert(t, c, batch...)
		sealNow(t, c)
	}
	return c, all
}

// same counts the hits of a that b has, too.
func same(a, b []Hit) (n int) {
	there := map[ID]bool{}
	for _, h := range b {
		there[h.ID] = true
	}
	for _, h := range a {
		if there[h.ID] {
			n++
		}
	}
	return n
}

// TestSegmentsShareBound searches many segments, a fifth of whose rows are dead, and compares with an exact search.
func TestSegmentsShareBound(t *testing.T) {
	c, all := boundCase(t, 1000, 200, 600, 100, 100)
	for first := 0; first < len(all); first += 500 {
		var gone []ID
		for i := first; i < first+500; i += 5 {
			gone = append(gone, NumberID(uint64(i)))
		}
		if _, err := c.Delete(context.Background(), gone...); err != nil {
			t.Fatal(err)
		}
	}
	const queries, k = 50, 10
	found := 0
	for i := range queries {
		q := Query{Near: [][]float32{all[i*37]}, K: k}
		got := mustQuery(t, c, q)[0]
		q.Exact = true
		want := mustQuery(t, c, q)[0]
		if len(got) != k || len(want) != k {
			t.Fatalf("%d documents were found, and %d exactly", len(got), len(want))
		}
		found += same(got, want)
	}
	if recall := float64(found) / queries / k; recall < 0.95 {
		t.Errorf("recall is %.3f", recall)
	}
}

// TestNearestAreDead deletes all documents near a query in the largest segment: those beyond are found.
func TestNearestAreDead(t *testing.T) {
	c, all := boundCase(t, 1000, 50)
	q := Query{Near: [][]float32{all[0]}, K: 200, Exact: true}
	var gone []ID
	for _, h := range mustQuery(t, c, q)[0] {
		if h.ID.number < 1000 {
			gone = append(gone, h.ID)
		}
	}
	if len(gone) < 100 {
		t.Fatalf("%d documents of the large segment are near", len(gone))
	}
	if _, err := c.Delete(context.Background(), gone...); err != nil {
		t.Fatal(err)
	}
	q.K = 10
	want := mustQuery(t, c, q)[0]
	q.Exact = false
	if got := mustQuery(t, c, q)[0]; len(got) != q.K || same(got, want) < 9 {
		t.Errorf("found %s, exactly %s", text(t, got), text(t, want))
	}
}

// TestSegmentOfTheDead searches a segment whose only row is dead.
func TestSegmentOfTheDead(t *testing.T) {
	c, all := boundCase(t, 1, 1)
	if _, err := c.Delete(context.Background(), NumberID(0)); err != nil {
		t.Fatal(err)
	}
	hits := mustQuery(t, c, Query{Near: all[:1]})[0]
	if len(hits) != 1 || hits[0].ID != NumberID(1) {
		t.Errorf("found %s", text(t, hits))
	}
}
