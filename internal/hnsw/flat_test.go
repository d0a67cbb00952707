package hnsw

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
	"pgregory.net/rapid"
)

// TestFlatAgainstModel does random operations on the index and on a map.
func TestFlatAgainstModel(t *testing.T) {
	const dim = 2
	rapid.Check(t, func(t *rapid.T) {
		x, err := NewFlat(Config{Dim: dim})
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		model := map[uint64][]float32{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			label := rapid.Uint64Range(0, 20).Draw(t, "label")
			if rapid.Bool().Draw(t, "delete") {
				_, known := model[label]
				if err := x.Delete(label); errors.Is(err, ErrLabel) == known {
					t.Fatalf("delete %d: %v", label, err)
				}
				delete(model, label)
				continue
			}
			vec := []float32{float32(rapid.IntRange(-3, 3).Draw(t, "x")), 1}
			if err := x.Add(label, vec, AddOptions{}); err != nil {
				t.Fatal(err)
			}
			model[label] = vec
		}
		k := rapid.IntRange(1, 25).Draw(t, "k")
		got, err := x.Search([]float32{0, 0}, k, search.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var want []search.Neighbor
		for label, vec := range model {
			want = append(want, search.Neighbor{Label: label, Distance: squared(vec, []float32{0, 0})})
		}
		sortNeighbors(want)
		if want = want[:min(k, len(want))]; !slices.Equal(got, want) || x.Len() != len(model) {
			t.Fatalf("%d elements, found %v, want %v", x.Len(), got, want)
		}
	})
}

// TestFlatMissesNothingWhileRowsMove: labels that stay must be found exactly, whatever happens to the others.
func TestFlatMissesNothingWhileRowsMove(t *testing.T) {
	const staying, moving, rounds = 64, 200, 300
	x, err := NewFlat(Config{Dim: 2})
	must(t, err)
	defer x.Close()
	add := func(label uint64) {
		if err := x.Add(label, point(float32(label)), AddOptions{}); err != nil {
			t.Error(err)
		}
	}
	for label := range uint64(moving) { // the staying ones stand last, so that deletions move them
		add(1000 + label)
	}
	for label := range uint64(staying) {
		add(label)
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for w := range uint64(2) {
		wg.Go(func() {
			for i := uint64(0); !stop.Load(); i++ {
				label := 1000 + w + 2*(i%(moving/2))
				if err := x.Delete(label); err != nil {
					t.Error(err)
				}
				add(label)
			}
		})
	}
	for range rounds {
		found, err := x.Search(point(0), staying, search.Options{})
		must(t, err)
		for i, n := range found {
			if n != (search.Neighbor{Label: uint64(i), Distance: float32(i * i)}) {
				t.Fatalf("result %d is %v", i, n)
			}
		}
		if len(found) != staying {
			t.Fatalf("%d results", len(found))
		}
	}
	stop.Store(true)
	wg.Wait()
}

func TestFlatImage(t *testing.T) {
	x, err := NewFlat(Config{Dim: 3, Metric: vector.Cosine, Capacity: 20})
	must(t, err)
	defer x.Close()
	for i := range 9 {
		must(t, x.Add(uint64(i*i), randomRows(1, 3, uint64(i)), AddOptions{}))
	}
	must(t, x.Delete(4))
	restore := func(damage func(*FlatImage)) (y *Flat, err error) {
		must(t, x.WithImage(func(from *FlatImage) error {
			if from.Config.Capacity != 20 || from.Count != 8 {
				t.Fatalf("image of %d elements, room for %d", from.Count, from.Config.Capacity)
			}
			y, err = RestoreFlat(from.Config, from.Count, func(to *FlatImage) error {
				copy(to.Labels, from.Labels)
				for i := range from.Count {
					copy(to.Rows.RowBytes(i), from.Rows.RowBytes(i))
				}
				damage(to)
				return nil
			})
			return nil
		}))
		return y, err
	}
	y, err := restore(func(*FlatImage) {})
	must(t, err)
	defer y.Close()
	q := []float32{1, 2, 3}
	want, err := x.Search(q, 20, search.Options{})
	must(t, err)
	got, err := y.Search(q, 20, search.Options{})
	must(t, err)
	sameResults(t, got, want)
	must(t, y.Delete(64)) // labels are known after a restore
	must(t, y.Add(65, q, AddOptions{}))
	if y.Capacity() != 20 || y.Len() != 8 {
		t.Fatalf("%d elements, room for %d", y.Len(), y.Capacity())
	}
	_, err = restore(func(m *FlatImage) { m.Labels[3] = m.Labels[1] })
	wantImageError(t, err, "Labels")
	for _, count := range []int{-1, maxRows + 1} {
		if _, err := RestoreFlat(Config{Dim: 1}, count, nil); err == nil {
			t.Errorf("%d elements were accepted", count)
		}
	}
}
