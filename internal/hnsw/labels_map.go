package hnsw

import (
	"fmt"
	"slices"

	"github.com/shale-search/shale/search"
)

// openBooks makes what changes and look-ups by label need beside the graph: the map of labels, the free list, the counts of
// links. An index that was read from a file and is only searched does without their memory. The caller holds mu.
func (x *Index) openBooks(g *graph) {
	if x.ids != nil {
		return
	}
	n := x.Len()
	x.ids = make(map[uint64]uint32, n)
	for id, label := range g.labels[:n] {
		x.ids[label] = uint32(id)
		if x.replacing && g.deleted.get(uint32(id)) {
			x.free.add(uint32(id))
		}
	}
	if x.backing == nil {
		g.countInbound(n) // a backing keeps the counts
	}
	g.copies = newCopySet(g.capacity)
	if !x.noCopies.Load() && (x.backing != nil || !g.mapped && g.hasContent()) { // else reading rows may fault
		g.findCopies(n)
		x.noCopies.Store(!g.copies.any())
	}
}

// CheckLabels returns an *ImageError if two elements have the same label, or if one has search.NoLabel.
func (m *Image) CheckLabels() error { return checkLabels(m.Labels) }

// checkLabels returns an *ImageError if two of labels are equal, or if one is search.NoLabel.
func checkLabels(labels []uint64) error {
	if i := slices.Index(labels, search.NoLabel); i >= 0 {
		return &ImageError{"Labels", i, ErrNoLabel.Error()}
	}
	rising := true
	for i := 1; i < len(labels) && rising; i++ {
		rising = labels[i-1] < labels[i]
	}
	if rising {
		return nil
	}
	sorted := slices.Clone(labels)
	slices.Sort(sorted)
	for i := 1; i < len(sorted); i++ {
		if sorted[i] != sorted[i-1] {
			continue
		}
		first := slices.Index(labels, sorted[i])
		second := first + 1 + slices.Index(labels[first+1:], sorted[i])
		return &ImageError{"Labels", second, fmt.Sprintf("label %d is that of element %d already", sorted[i], first)}
	}
	return nil
}
