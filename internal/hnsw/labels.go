package hnsw

import (
	"errors"
	"fmt"
	"math"
	"slices"

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

// LabelCounter gives labels to rows that come without: those that follow the largest label that any row has had.
// Whatever labels others were given, none of these is one of theirs.
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
	if c.known && label >= c.next {
		c.next = label + 1
	}
}

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

// ReserveLabels takes n labels that follow the largest that any row has had, and gives the first. No other call gets
// them, so that a caller may add rows under them later. AddBatch takes its labels so where it is given none.
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
