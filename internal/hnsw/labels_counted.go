package hnsw

import (
	"unsafe"

	"github.com/shale-search/shale/search"
)

// countLabels tests that no two elements carry one label, and frees the labels where each is one more than that of the element
// before.
func (f *Frozen) countLabels() error {
	g, n := f.graph.Load(), f.Len()
	if n == 0 {
		return nil
	}
	for i, label := range g.labels[:n] {
		if label != g.labels[0]+uint64(i) || label == search.NoLabel {
			return checkLabels(g.labels[:n])
		}
	}
	g.shift = g.labels[0]
	err := g.drop(unsafe.Pointer(unsafe.SliceData(g.labels)))
	g.labels = nil
	return err
}

// allLabels are the labels of the first n elements.
func (g *graph) allLabels(n int) []uint64 {
	if g.labels != nil && g.shift == 0 {
		return g.labels[:n]
	}
	all := make([]uint64, n)
	for i := range all {
		all[i] = g.label(uint32(i))
	}
	return all
}

// ShiftLabels adds by to the labels of all elements, which are counted modulo 2⁶⁴: labels of a shard become those of a whole,
// say. Searches under way end with the labels of before.
func (f *Frozen) ShiftLabels(by uint64) error {
	return f.replace(func(g *graph) (*graph, error) {
		n := g.with(g.rows, g.mapped)
		n.shift += by
		return n, nil
	})
}
