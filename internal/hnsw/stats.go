package hnsw

import (
	"sync/atomic"
)

// Stats describes the size and shape of an index.
type Stats struct {
	Elements int // those marked deleted included
	Deleted  int
	Capacity int
	Levels   []int // elements by their highest level
	Degree   DegreeStats
	Memory   MemoryStats
}

// Add adds the elements of another graph.
func (s *Stats) Add(o Stats) {
	s.Degree.Average = (s.Degree.Average*float64(s.Elements) +
		o.Degree.Average*float64(o.Elements)) / float64(max(s.Elements+o.Elements, 1))
	if s.Elements == 0 || o.Elements > 0 && o.Degree.Min < s.Degree.Min {
		s.Degree.Min = o.Degree.Min
	}
	s.Degree.Max = max(s.Degree.Max, o.Degree.Max)
	s.Elements += o.Elements
	s.Deleted += o.Deleted
	s.Capacity += o.Capacity
	for level, n := range o.Levels {
		for len(s.Levels) <= level {
			s.Levels = append(s.Levels, 0)
		}
		s.Levels[level] += n
	}
	m := &s.Memory
	m.Links += o.Memory.Links
	m.Upper += o.Memory.Upper
	m.Labels += o.Memory.Labels
	m.Rows += o.Memory.Rows
	m.Codes += o.Memory.Codes
	m.Maps += o.Memory.Maps
}

// DegreeStats is about the number of links that elements have on level 0.
type DegreeStats struct {
	Min, Max int
	Average  float64
}

// MemoryStats is the memory of the elements in bytes. Room for further elements takes none until it is used.
type MemoryStats struct {
	Links  int64 // level 0
	Upper  int64 // levels above
	Labels int64 // with levels and marks
	Rows   int64
	Codes  int64
	Maps   int64 // from labels and rows to elements, estimated
}

// Total returns the sum of all parts.
func (m MemoryStats) Total() int64 { return m.Links + m.Upper + m.Labels + m.Rows + m.Codes + m.Maps }

const (
	labelBytes = 8 + 4 + 1 // label, index of the first upper list, level; marks take two bits more
	countBytes = 4         // links that lead to an element of a growing index
	mapBytes   = 26        // an entry of a Go map from labels to elements, with the usual room to grow
)

// Stats describes the index as it is now. It reads all links, but takes no lock.
func (r *Reader) Stats() (stats Stats, err error) {
	err = r.readGraph(func(g *graph, n int) error {
		stats = r.statsOf(g, n)
		return nil
	})
	return stats, err
}

// statsOf describes a graph of n elements.
func (r *Reader) statsOf(g *graph, n int) Stats {
	s := Stats{Elements: n, Deleted: r.Deleted(), Capacity: g.capacity}
	links, lists, counted := 0, 0, 0
	for id := range uint32(n) {
		if !g.complete(id) {
			continue // being inserted
		}
		level, degree := int(g.levels[id]), g.degree(id)
		for len(s.Levels) <= level {
			s.Levels = append(s.Levels, 0)
		}
		s.Levels[level]++
		if counted == 0 || degree < s.Degree.Min {
			s.Degree.Min = degree
		}
		s.Degree.Max = max(s.Degree.Max, degree)
		links += degree
		lists += level
		counted++
	}
	s.Degree.Average = float64(links) / float64(max(counted, 1))
	s.Memory = MemoryStats{
		Links: g.linkBytes(n), Upper: int64(lists) * int64(g.m) * 4,
		Labels: int64(n)*labelBytes + int64(n+3)/4, Rows: int64(n) * int64(g.rows.Stride()),
	}
	if r.cfg.external() {
		s.Memory.Rows = 0
	}
	if g.labels == nil {
		s.Memory.Labels -= int64(n) * 8
	}
	if c := g.coder.Load(); c != nil {
		s.Memory.Codes = int64(n) * int64(c.q.Stride())
	}
	return s
}

// Stats describes the index as it is now.
func (x *Index) Stats() (Stats, error) {
	s, err := x.Reader.Stats()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ids != nil {
		s.Memory.Labels += int64(s.Elements) * countBytes
	}
	s.Memory.Maps = int64(len(x.ids)+len(x.free.at))*mapBytes + x.groups.bytes()
	return s, err
}

// Stats describes the index as it is now.
func (f *Flat) Stats() (Stats, error) {
	s, err := f.Reader.Stats()
	f.change.RLock()
	defer f.change.RUnlock()
	s.Memory.Maps = int64(len(f.ids)) * mapBytes
	return s, err
}

// length returns the number of links in a list.
func length(list []uint32) int {
	n := 0
	for n < len(list) && atomic.LoadUint32(&list[n]) != 0 {
		n++
	}
	return n
}

// Reachable is the number of elements that links of level 0 lead to from the entry point, it
// included. Searches may miss the others.
func (r *Reader) Reachable() (int, error) {
	n, _, err := r.reachable()
	return n, err
}

// Unreachable is the number of elements not marked deleted that no links of level 0 lead to from the entry point.
func (r *Reader) Unreachable() (int, error) {
	_, n, err := r.reachable()
	return n, err
}

func (r *Reader) reachable() (reached, missed int, err error) {
	entry := r.entry.Load()
	err = r.readGraph(func(g *graph, n int) error {
		if entry == none {
			return nil
		}
		met := g.reached(uint32(entry), 0)
		for id := range uint32(n) {
			if !met.has(id) && g.allowed(id, nil) {
				missed++
			}
		}
		reached = len(met.met)
		return nil
	})
	return reached, missed, err
}

// reached returns the set of elements that links of the levels up to top lead to from one, it included.
func (g *graph) reached(from uint32, top int) *visited {
	met := &visited{}
	met.reset(g.capacity)
	met.add(from)
	var near []uint32
	for next := 0; next < len(met.met); next++ {
		id := met.met[next]
		near = g.links(id, near[:0])
		for level := 1; level <= min(top, int(g.levels[id])); level++ {
			near = neighbours(g.list(id, level), near)
		}
		if g.checked {
			near = g.sound(near)
		}
		for _, n := range near {
			met.add(n)
		}
	}
	return met
}
