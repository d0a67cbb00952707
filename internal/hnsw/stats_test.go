package hnsw

import (
	"slices"
	"testing"
)

func TestStatsOfAGraph(t *testing.T) {
	x := worn(t)
	must(t, x.Resize(1000))
	s, err := x.Stats()
	must(t, err)
	if s.Elements != 600 || s.Deleted != x.Deleted() || s.Capacity != 1000 {
		t.Errorf("%d elements, %d deleted, room for %d", s.Elements, s.Deleted, s.Capacity)
	}
	must(t, x.WithImage(func(m *Image) error {
		levels := make([]int, m.TopLevel+1)
		lowest, highest, sum := 8, 0, 0
		for id, level := range m.Levels {
			levels[level]++
			degree := slices.Index(append(slices.Clone(m.Links0[id*8:(id+1)*8]), 0), 0)
			lowest, highest, sum = min(lowest, degree), max(highest, degree), sum+degree
		}
		if !slices.Equal(s.Levels, levels) {
			t.Errorf("levels %v, want %v", s.Levels, levels)
		}
		if want := (DegreeStats{lowest, highest, float64(sum) / 600}); s.Degree != want {
			t.Errorf("degrees %+v, want %+v", s.Degree, want)
		}
		if s.Memory.Upper != int64(len(m.Upper)*4) || s.Memory.Links != 600*8*4 || s.Memory.Rows != 600*7*2 {
			t.Errorf("memory %+v", s.Memory)
		}
		return nil
	}))
	if s.Memory.Maps == 0 || s.Memory.Total() <= s.Memory.Links+s.Memory.Rows {
		t.Errorf("memory %+v", s.Memory)
	}
}

func TestStatsWithoutLinks(t *testing.T) {
	eachEngine(t, Config{Dim: 2}, func(t *testing.T, x engine) {
		s, err := x.Stats()
		must(t, err)
		if s.Elements != 0 || s.Memory.Total() != 0 || s.Degree != (DegreeStats{}) {
			t.Errorf("empty: %+v", s)
		}
		must(t, x.Add(1, point(1), AddOptions{}))
		s, err = x.Stats()
		must(t, err)
		if s.Elements != 1 || s.Degree != (DegreeStats{}) || s.Memory.Rows != 8 || len(s.Levels) == 0 {
			t.Errorf("one element: %+v", s)
		}
	})
}

func TestReachable(t *testing.T) {
	x := points(t, Config{})
	count := func() int {
		n, err := x.Reachable()
		must(t, err)
		return n
	}
	if n := count(); n != 10 {
		t.Fatalf("%d of 10 are reachable", n)
	}
	g, lone := x.graph.Load(), uint32(5)
	for id := range uint32(10) { // cut all links to one element
		for level := range int(g.levels[id]) + 1 {
			list := g.list(id, level)
			storeLinks(list, slices.DeleteFunc(neighbours(list, nil), func(n uint32) bool { return n == lone }))
		}
	}
	if n := count(); n != 9 {
		t.Fatalf("%d are reachable, want 9", n)
	}
}
