package hnsw

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/search"
)

// ErrNoLabel reports the label 2⁶⁴ − 1, which no row may have: in results it says that nothing was found.
var ErrNoLabel = errors.New("label 18446744073709551615 stands for no row: labels are 0 to 18446744073709551614")

// checkLabel refuses the label that no row may have.
func checkLabel(label uint64) error {
	if label == search.NoLabel {
		return ErrNoLabel
	}
	return nil
}

// CheckLabels refuses labels of which one is that which no row may have.
func CheckLabels(labels []uint64) error {
	if i := slices.Index(labels, search.NoLabel); i >= 0 {
		return fmt.Errorf("row %d: %w", i, ErrNoLabel)
	}
	return nil
}

// LabelCounter is the rule for default labels: rows that come without labels get those that follow the largest label
// that any row has had, so that none of them is another row's. The zero value doesn't know the largest label yet: see
// Start.
type LabelCounter struct {
	known bool   // next is
	next  uint64 // one above the largest label so far
}

// Known reports whether the counter has started.
func (c *LabelCounter) Known() bool { return c.known }

// Start lets the counter begin after the largest label, if there is any.
func (c *LabelCounter) Start(largest uint64, any bool) {
	c.known = true
	if any {
		c.Met(largest)
	}
}

// Met notes that a row has a label. Before Start it does nothing.
func (c *LabelCounter) Met(label uint64) {
	if c.known && label >= c.next && label != search.NoLabel {
		c.next = label + 1
	}
}

// Next returns the label that the next row gets.
func (c *LabelCounter) Next() uint64 { return c.next }

// learn starts the counter after the labels of all rows, unless it has started.
func (c *LabelCounter) learn(g *graph, n int) {
	if c.known {
		return
	}
	c.known = true
	for id := range uint32(n) {
		c.Met(g.label(id))
	}
}

// Reserve takes n labels and returns the first.
func (c *LabelCounter) Reserve(n int) (first uint64, err error) {
	if uint64(n) > math.MaxUint64-c.next {
		return 0, fmt.Errorf("no %d labels follow %d, the largest: give labels", n, c.next-1)
	}
	first = c.next
	c.next += uint64(n)
	return first, nil
}

// ReserveLabels reserves n labels above the largest that any row has had, and returns the first. No other call gets
// them, so that a caller may add rows under them later. AddBatch takes its labels this way if it is given none.
func (x *Index) ReserveLabels(n int) (first uint64, err error) {
	if x.backing != nil {
		defer mmap.Catch(mmap.Guard(), &err)
	}
	x.structure.RLock()
	defer x.structure.RUnlock()
	g := x.graph.Load()
	if g == nil {
		return 0, ErrClosed
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.next.learn(g, x.Len())
	return x.next.Reserve(n)
}

// ContinueLabels lets default labels of x follow those of old, whose place x takes.
func (x *Index) ContinueLabels(old *Index) error {
	next, err := old.ReserveLabels(0)
	if err != nil || next == 0 {
		return err
	}
	if _, err := x.ReserveLabels(0); err != nil { // so that the counter has started
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.next.Met(next - 1)
	return nil
}

// buildLabelMap builds what changes and look-ups by label need beside the graph: the map of labels, the list of free
// elements and the counts of links. An index that was read from a file and is only searched does without that memory.
// The caller holds mu.
func (x *Index) buildLabelMap(g *graph) {
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

// dropConsecutiveLabels frees the labels if each is one more than that of the element before. If not, it tests that no
// two are equal.
func (f *Frozen) dropConsecutiveLabels() error {
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

// ShiftLabels adds by to the labels of all elements, modulo 2⁶⁴. It turns the labels of a shard into those of the whole
// index. Searches under way finish with the old labels.
func (f *Frozen) ShiftLabels(by uint64) error {
	return f.replace(func(g *graph) (*graph, error) {
		n := g.with(g.rows, g.mapped)
		n.shift += by
		return n, nil
	})
}
