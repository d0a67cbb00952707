package stop

import (
	"math"
	"slices"
	"testing"
)

// TestRadiusHoldsTheNearest: of the results added, in any order, those within the radius remain, and at most so many.
func TestRadiusHoldsTheNearest(t *testing.T) {
	stop := Radius(5, 0, 3)
	type neighbor struct {
		label    uint64
		distance float32
	}
	finish := func(held []neighbor) []neighbor {
		stop.Finish()
		return slices.DeleteFunc(held, func(n neighbor) bool { return !stop.Keeps(n.label, n.distance) })
	}
	if least := stop.Begin(2); least != 0 {
		t.Errorf("least %d", least)
	}
	for i, d := range []float32{9, 1, 4} {
		if !stop.Consider(d, float32(math.Inf(1))) {
			t.Errorf("%v isn't considered", d)
		}
		if stop.Add(uint64(i), d); stop.Overfull() {
			t.Errorf("overfull with %d", i+1)
		}
	}
	if stop.Stop(3, 9) {
		t.Error("it stops before candidates within the radius")
	}
	if stop.Add(3, 2); !stop.Overfull() {
		t.Error("four of three aren't too many")
	}
	stop.Remove(0, 9)
	if stop.Overfull() || !stop.Stop(6, 4) {
		t.Error("it goes on beyond the radius")
	}
	found := finish([]neighbor{{1, 1}, {3, 2}, {2, 4}, {0, 9}})
	if len(found) != 3 || found[2].label != 2 {
		t.Errorf("found %v", found)
	}
	if found := finish([]neighbor{{1, 1}, {2, 5.1}}); len(found) != 1 {
		t.Errorf("found %v, of which one is within the radius", found)
	}
}
