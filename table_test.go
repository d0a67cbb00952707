package shale_test

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// kept is what an index should hold: a plain table of rows.
type kept struct {
	rows    map[uint64][]float32
	deleted map[uint64]bool
	largest uint64
}

func keep(rows vector.Matrix) *kept {
	k := &kept{rows: map[uint64][]float32{}, deleted: map[uint64]bool{}}
	for i := range rows.Rows() {
		k.put(uint64(i), vector.Row[float32](rows, i))
	}
	return k
}

func (k *kept) put(label uint64, row []float32) {
	k.rows[label] = slices.Clone(row)
	delete(k.deleted, label)
	k.largest = max(k.largest, label)
}

// nearest are the labels of the n rows nearest to query that aren't deleted, nearest first.
func (k *kept) nearest(query []float32, n int) []uint64 {
	var all []search.Neighbor
	for label, row := range k.rows {
		if k.deleted[label] {
			continue
		}
		var d float64
		for j, v := range row {
			d += float64(v-query[j]) * float64(v-query[j])
		}
		all = append(all, search.Neighbor{Label: label, Distance: float32(d)})
	}
	slices.SortFunc(all, func(a, b search.Neighbor) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Label, b.Label))
	})
	labels := make([]uint64, 0, n)
	for _, r := range all[:min(n, len(all))] {
		labels = append(labels, r.Label)
	}
	return labels
}

// check tests an index against what it should hold: searches of all shards find the true neighbours, and default ones
// each row of own by its vector.
func (k *kept) check(t *testing.T, x *shale.Index, own ...uint64) {
	t.Helper()
	if x.Len() != len(k.rows)-len(k.deleted) || x.Deleted() != len(k.deleted) {
		t.Fatalf("%d rows and %d deleted ones, not %d and %d", x.Len(), x.Deleted(),
			len(k.rows)-len(k.deleted), len(k.deleted))
	}
	queries := random(t, 10, x.Dim(), 99)
	for i := range queries.Rows() {
		query := vector.Row[float32](queries, i)
		all := search.FilterRange(0, search.NoLabel, 1) // few rows behind a filter are all compared
		found, err := x.Search(query, 8, search.Options{Ef: 4 * len(k.rows), Filter: all, Rerank: 4 * len(k.rows)})
		if err != nil {
			t.Fatal(err)
		}
		if want := k.nearest(query, 8); !slices.Equal(labelsOf(found), want) {
			t.Fatalf("query %d found %v, the nearest are %v", i, labelsOf(found), want)
		}
	}
	for _, label := range own {
		found, err := x.Search(k.rows[label], 1, search.Options{})
		if err != nil || len(found) != 1 || found[0].Label != label || found[0].Distance > 1e-6 {
			t.Fatalf("the vector of label %d found %v, %v", label, found, err)
		}
	}
	var labels []uint64
	err := x.EachVector(ctx, func(l []uint64, rows vector.Matrix) error {
		labels = append(labels, l...)
		for i, label := range l {
			if !slices.Equal(vector.Row[float32](rows, i), k.rows[label]) || k.deleted[label] {
				t.Errorf("label %d has another vector, or is deleted", label)
			}
		}
		return nil
	})
	if slices.Sort(labels); err != nil || len(slices.Compact(labels)) != x.Len() {
		t.Fatalf("%d vectors, %v", len(labels), err)
	}
}

// checkLabels tests the look-ups by label of an index against what it should hold.
func (k *kept) checkLabels(t *testing.T, x *shale.Index) {
	t.Helper()
	var there, asked []uint64
	for label := range k.largest + 3 {
		if asked = append(asked, label); k.rows[label] != nil && !k.deleted[label] {
			there = append(there, label)
		}
	}
	labels, err := x.Labels()
	if slices.Sort(labels); err != nil || !slices.Equal(labels, there) {
		t.Fatalf("labels %v, %v, not %v", labels, err, there)
	}
	has, err := x.Contains(asked...)
	if err != nil {
		t.Fatal(err)
	}
	for i, label := range asked {
		if has[i] != slices.Contains(there, label) {
			t.Fatalf("label %d is there: %v", label, has[i])
		}
	}
	rows, err := x.Vectors(there...)
	if err != nil {
		t.Fatal(err)
	}
	for i, label := range there {
		if !slices.Equal(vector.Row[float32](rows, i), k.rows[label]) {
			t.Fatalf("label %d has the vector %v, not %v", label, vector.Row[float32](rows, i), k.rows[label])
		}
	}
	if _, err := x.Vectors(there[0], k.largest+1); !errors.Is(err, shale.ErrLabel) {
		t.Fatalf("the vector of a label that isn't there: %v", err)
	}
}

// tableOf is what an index holds.
func tableOf(t *testing.T, x *shale.Index) *kept {
	t.Helper()
	k := &kept{rows: map[uint64][]float32{}, deleted: map[uint64]bool{}}
	err := x.EachVector(ctx, func(labels []uint64, rows vector.Matrix) error {
		for i, label := range labels {
			k.put(label, vector.Row[float32](rows, i))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func labelsOf(found []search.Neighbor) []uint64 {
	labels := make([]uint64, len(found))
	for i, n := range found {
		labels[i] = n.Label
	}
	return labels
}

// change makes some changes of both, and gives the labels whose vectors are new.
func (k *kept) change(t *testing.T, x *shale.Index, rnd *rand.Rand, seed uint64) (own []uint64) {
	t.Helper()
	more := random(t, 20, x.Dim(), 1000+seed)
	labels := make([]uint64, more.Rows())
	for i := range labels {
		labels[i] = rnd.Uint64N(2 * uint64(len(k.rows)))
	}
	labels[3] = labels[11] // of which the later stays
	if err := x.AddBatch(ctx, more, shale.AddOptions{Labels: labels}); err != nil {
		t.Fatal(err)
	}
	for i, l := range labels {
		k.put(l, vector.Row[float32](more, i))
	}
	unlabelled := random(t, 5, x.Dim(), 2000+seed)
	next := k.largest + 1
	if err := x.AddBatch(ctx, unlabelled, shale.AddOptions{}); err != nil {
		t.Fatal(err)
	}
	for i := range unlabelled.Rows() {
		k.put(next+uint64(i), vector.Row[float32](unlabelled, i))
		labels = append(labels, next+uint64(i))
	}
	one := vector.Row[float32](random(t, 1, x.Dim(), 3000+seed), 0)
	if err := x.Add(labels[0], one); err != nil {
		t.Fatal(err)
	}
	k.put(labels[0], one)
	k.mark(t, x, rnd)
	for _, l := range labels {
		if !k.deleted[l] {
			own = append(own, l)
		}
	}
	return own
}

// mark deletes and undeletes labels, some of which aren't there or are so already.
func (k *kept) mark(t *testing.T, x *shale.Index, rnd *rand.Rand) {
	t.Helper()
	for range 3 {
		labels := make([]uint64, 15)
		unknown, already, deletes := false, false, rnd.IntN(3) > 0
		for i := range labels {
			labels[i] = rnd.Uint64N(2 * uint64(len(k.rows)))
			switch is := k.deleted[labels[i]]; {
			case k.rows[labels[i]] == nil:
				unknown = true
			case is == deletes:
				already = true
			case deletes:
				k.deleted[labels[i]] = true
			default:
				delete(k.deleted, labels[i])
			}
		}
		mark, so := x.Undelete, shale.ErrNotDeleted
		if deletes {
			mark, so = x.Delete, shale.ErrDeleted
		}
		err := mark(labels...)
		if errors.Is(err, shale.ErrLabel) != unknown || errors.Is(err, so) != already ||
			(err != nil) != (unknown || already) {
			t.Fatalf("unknown labels: %v, marked ones: %v, and the error is %v", unknown, already, err)
		}
	}
}
