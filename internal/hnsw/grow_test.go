package hnsw

import (
	"testing"

	"github.com/shale-search/shale/search"
)

func TestRoomForListsOfManyElementsSuffices(t *testing.T) {
	for _, m := range []int{2, 3, 16, 64} {
		for seed := range uint64(2) {
			c := Config{M: m, Seed: seed}
			n := mostCounted + 1000
			need, room := upperLists(&c, 0, n), upperRoom(&c, 0, n)
			if need > room || float64(room) > 1.05*float64(need) {
				t.Errorf("M %d, seed %d: room for %d lists, %d are needed", m, seed, room, need)
			}
			if need, room := upperLists(&c, 7, 1007), upperRoom(&c, 7, 1007); need != room {
				t.Errorf("M %d, seed %d: room for %d lists of a thousand elements, %d are needed", m, seed, room, need)
			}
		}
	}
}

// TestRoomForABillionElements asks so often that counting the elements would take hours.
func TestRoomForABillionElements(t *testing.T) {
	const n, m = 1_000_000_000, 16
	for range 1000 {
		if room := upperRoom(&Config{M: m}, 0, n); room < n/(m-1) || room > n/(m-1)*1002/1000 {
			t.Fatalf("room for %d lists", room)
		}
	}
}

func TestLevelsAreLoweredWhereListsHaveNoRoom(t *testing.T) {
	x, err := New(Config{Dim: 2, Metric: 0, M: 2, Capacity: 200, FixedCapacity: true})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	g := x.graph.Load()
	g.upper = g.upper[:5*g.m] // as if more were needed than upperRoom says
	for label := range uint64(200) {
		if err := x.Add(label, []float32{float32(label), 1}, AddOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if x.lists != 5 {
		t.Errorf("%d lists above level 0 are in use, there is room for 5", x.lists)
	}
	for label := range uint64(200) {
		found, err := x.Search([]float32{float32(label), 1}, 1, search.Options{Ef: 50})
		if err != nil || len(found) != 1 || found[0].Label != label {
			t.Fatalf("row %d: %v, %v", label, found, err)
		}
	}
}
