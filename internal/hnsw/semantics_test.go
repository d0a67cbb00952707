package hnsw

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

func point(v float32) []float32 { return []float32{v, 1} }

// first is the label and distance that a search for point(v) finds first.
func first(t *testing.T, x engine, v float32) search.Neighbor {
	t.Helper()
	found, err := x.Search(point(v), 1, search.Options{})
	must(t, err)
	if len(found) != 1 {
		t.Fatalf("%d results, want 1", len(found))
	}
	return found[0]
}

// points makes a graph of the points 0, 10, … 90 under labels 100, 101, … 109.
func points(t *testing.T, c Config) *Index {
	t.Helper()
	c.Dim = 2
	x, err := New(c)
	must(t, err)
	t.Cleanup(func() { x.Close() })
	for i := range 10 {
		must(t, x.Add(uint64(100+i), point(float32(10*i)), AddOptions{}))
	}
	return x
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

func TestUpdateReplacesTheVector(t *testing.T) {
	eachEngine(t, Config{Dim: 2}, func(t *testing.T, x engine) {
		for i := range 10 {
			must(t, x.Add(uint64(100+i), point(float32(10*i)), AddOptions{}))
		}
		must(t, x.Add(103, point(500), AddOptions{}))
		if n := x.Len(); n != 10 {
			t.Fatalf("%d elements", n)
		}
		if got := first(t, x, 499); got != (search.Neighbor{Label: 103, Distance: 1}) {
			t.Fatalf("found %v", got)
		}
		if got := first(t, x, 30); got != (search.Neighbor{Label: 102, Distance: 100}) {
			t.Fatalf("found %v at the old place", got)
		}
		v := make([]float32, 2)
		must(t, x.Vector(103, v))
		if !slices.Equal(v, point(500)) {
			t.Fatalf("stored %v", v)
		}
	})
}

func TestDeleteAndUndelete(t *testing.T) {
	x := points(t, Config{})
	wantError(t, x.Delete(1), ErrLabel)
	wantError(t, x.Undelete(1), ErrLabel)
	wantError(t, x.Undelete(103), ErrNotDeleted)
	must(t, x.Delete(103))
	wantError(t, x.Delete(103), ErrDeleted)
	wantError(t, x.Vector(103, make([]float32, 2)), ErrLabel)
	if x.Len() != 10 || x.Deleted() != 1 {
		t.Fatalf("%d elements, %d deleted", x.Len(), x.Deleted())
	}
	if got := first(t, x, 31); got != (search.Neighbor{Label: 104, Distance: 81}) {
		t.Fatalf("found %v", got)
	}
	labels, err := x.Labels()
	must(t, err)
	if !slices.Contains(labels, 103) {
		t.Fatal("deleted labels are not listed")
	}
	must(t, x.Undelete(103))
	if got := first(t, x, 31); got != (search.Neighbor{Label: 103, Distance: 1}) || x.Deleted() != 0 {
		t.Fatalf("found %v, %d deleted", got, x.Deleted())
	}
}

func TestAddBringsADeletedLabelBack(t *testing.T) {
	x := points(t, Config{})
	must(t, x.Delete(103))
	must(t, x.Add(103, point(35), AddOptions{}))
	if got := first(t, x, 35); got != (search.Neighbor{Label: 103, Distance: 0}) || x.Deleted() != 0 || x.Len() != 10 {
		t.Fatalf("found %v, %d deleted of %d", got, x.Deleted(), x.Len())
	}
	soundBooks(t, x)
}

func TestReplaceDeleted(t *testing.T) {
	replace := AddOptions{ReplaceDeleted: true}
	wantError(t, points(t, Config{}).Add(1, point(1), replace), ErrReplaceDisabled)

	x := points(t, Config{ReplaceDelete: true, Capacity: 10, FixedCapacity: true})
	must(t, x.Delete(103))
	must(t, x.Delete(107))
	wantError(t, x.Add(103, point(1), AddOptions{}), ErrUpdateDeleted)
	must(t, x.Add(200, point(205), replace))
	if got := first(t, x, 205); got != (search.Neighbor{Label: 200, Distance: 0}) || x.Len() != 10 || x.Deleted() != 1 {
		t.Fatalf("found %v, %d deleted of %d", got, x.Deleted(), x.Len())
	}
	wantError(t, x.Delete(107), ErrLabel)  // its slot was taken over
	must(t, x.Add(100, point(3), replace)) // alive: updated in place, though a slot is free
	if got := first(t, x, 3); got != (search.Neighbor{Label: 100, Distance: 0}) || x.Deleted() != 1 {
		t.Fatalf("found %v, %d deleted", got, x.Deleted())
	}
	must(t, x.Add(103, point(31), replace)) // deleted itself: it comes back in its own slot
	if got := first(t, x, 31); got != (search.Neighbor{Label: 103, Distance: 0}) || x.Deleted() != 0 {
		t.Fatalf("found %v, %d deleted", got, x.Deleted())
	}
	wantError(t, x.Add(201, point(1), replace), ErrFull) // none free: adds, and there is no room
	soundBooks(t, x)
}

func TestUndeletedSlotIsNotTakenOver(t *testing.T) {
	x := points(t, Config{ReplaceDelete: true})
	for range 3 {
		must(t, x.Delete(103))
		must(t, x.Undelete(103))
	}
	must(t, x.Add(200, point(205), AddOptions{ReplaceDeleted: true}))
	if x.Len() != 11 || first(t, x, 30) != (search.Neighbor{Label: 103, Distance: 0}) {
		t.Fatalf("%d elements, found %v", x.Len(), first(t, x, 30))
	}
	soundBooks(t, x)
}

// TestReturningElementIsNotTakenOver: an update of a deleted element reserves its slot before the vector is stored; a
// replacement that comes in between must not get the same slot.
func TestReturningElementIsNotTakenOver(t *testing.T) {
	x := points(t, Config{ReplaceDelete: true})
	must(t, x.Delete(103))
	replace := AddOptions{ReplaceDeleted: true}
	at, err := x.reserve(103, replace)
	must(t, err)
	x.structure.RUnlock()
	must(t, x.Add(200, point(205), replace))
	must(t, x.put(at, point(31)))
	if first(t, x, 31) != (search.Neighbor{Label: 103, Distance: 0}) ||
		first(t, x, 205) != (search.Neighbor{Label: 200, Distance: 0}) {
		t.Fatalf("found %v and %v", first(t, x, 31), first(t, x, 205))
	}
	soundBooks(t, x)
}

func TestFlatDeleteIsForGood(t *testing.T) {
	x, err := NewFlat(Config{Dim: 2})
	must(t, err)
	defer x.Close()
	for i := range 4 {
		must(t, x.Add(uint64(i), point(float32(10*i)), AddOptions{}))
	}
	must(t, x.Delete(1))
	wantError(t, x.Delete(1), ErrLabel)
	wantError(t, x.Vector(1, make([]float32, 2)), ErrLabel)
	wantError(t, x.Add(9, point(1), AddOptions{ReplaceDeleted: true}), ErrReplaceDisabled)
	labels, err := x.Labels()
	must(t, err)
	if !slices.Equal(labels, []uint64{0, 3, 2}) {
		t.Fatalf("labels %v: the last row should have moved to the gap", labels)
	}
	if got := first(t, x, 30); got != (search.Neighbor{Label: 3, Distance: 0}) {
		t.Fatalf("found %v", got)
	}
	must(t, x.AddBatch(context.Background(), matrix(t, point(77), 2), nil, BatchOptions{}))
	if got := first(t, x, 77); got != (search.Neighbor{Label: 4, Distance: 0}) {
		t.Fatalf("found %v: labels should count on from the highest", got)
	}
}

func TestRefusedVectors(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, Config{Dim: 2, Storage: vector.Float16}, func(t *testing.T, x engine) {
		for bad, want := range map[float32]error{
			nan: ErrNotFinite, posInf: ErrNotFinite, negInf: ErrNotFinite, 65520: ErrTooLarge, -1e9: ErrTooLarge,
			3e38: ErrTooLarge,
		} {
			wantError(t, x.Add(1, point(bad), AddOptions{}), want)
			rows := matrix(t, append(point(1), point(bad)...), 2)
			wantError(t, x.AddBatch(ctx, rows, nil, BatchOptions{}), want)
		}
		half := []uint16{0, 0, 0, 0x7c00}
		wantError(t, x.AddBatch(ctx, matrix(t, half, 2), nil, BatchOptions{}), ErrNotFinite)
		wantError(t, x.Add(1, []float32{1}, AddOptions{}), vector.ErrDim)
		wantError(t, x.AddBatch(ctx, matrix(t, half, 4), nil, BatchOptions{}), vector.ErrDim)
		if err := x.AddBatch(ctx, matrix(t, half, 2), []uint64{1}, BatchOptions{}); err == nil {
			t.Fatal("one label for two rows was accepted")
		}
		if x.Len() != 0 {
			t.Fatalf("%d elements were added", x.Len())
		}
		must(t, x.Add(1, point(65504), AddOptions{}))
		_, err := x.Search(point(nan), 1, search.Options{})
		wantError(t, err, ErrNotFinite)
		_, err = x.Search([]float32{1}, 1, search.Options{})
		wantError(t, err, vector.ErrDim)
		for _, k := range []int{0, -1} {
			if _, err = x.Search(point(1), k, search.Options{}); err == nil {
				t.Fatalf("k = %d was accepted", k)
			}
		}
	})
}

func TestAddBatchStopsWithItsContext(t *testing.T) {
	eachEngine(t, Config{Dim: 2}, func(t *testing.T, x engine) {
		ctx, cancel := context.WithCancel(context.Background())
		rows := matrix(t, integerRows(1000, 2, 1), 2)
		err := x.AddBatch(ctx, rows, nil, BatchOptions{Threads: 2, Progress: func(int) { cancel() }})
		wantError(t, err, context.Canceled)
		if n := x.Len(); n == 0 || n == 1000 {
			t.Fatalf("%d elements", n)
		}
	})
}

// TestProgressMayUseTheIndex: no lock is held while the caller is told.
func TestProgressMayUseTheIndex(t *testing.T) {
	eachEngine(t, Config{Dim: 2}, func(t *testing.T, x engine) {
		last := 0
		progress := func(done int) {
			last = done
			if err := x.Add(uint64(done), point(1), AddOptions{}); err != nil {
				t.Error(err)
			}
			x.Capacity()
		}
		rows := matrix(t, integerRows(3000, 2, 1), 2)
		must(t, x.AddBatch(context.Background(), rows, nil, BatchOptions{Threads: 4, Progress: progress}))
		if last != 3000 {
			t.Fatalf("told of %d rows last", last)
		}
	})
}
