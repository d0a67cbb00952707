package collection

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/shale-search/shale/internal/inside"
)

// pinning keeps in memory what each search reads of sealed segments: links and codes. Left to the page cache, they give
// way to what merges and the store read and write once.
type pinning struct {
	worker worker
	bytes  atomic.Int64 // of all segments that aren't closed
}

// pinSome pins the links and codes of segments as far as the memory for that goes, of the largest first, and begins to
// read the others. What gives way to a merged segment is to be closed before.
func (c *Collection) pinSome(context.Context) (more bool, err error) {
	s := c.pin()
	defer func() { err = errors.Join(err, s.release()) }()
	sealed := slices.Clone(s.views[:s.unsealed()])
	slices.SortStableFunc(sealed, func(a, b view) int { return cmp.Compare(b.size(), a.size()) })
	for _, v := range sealed {
		if err := v.pin(c.options.pinBytes(), &c.pinning.bytes); err != nil {
			return false, err
		}
		if err := v.readAhead(); err != nil {
			return false, err
		}
	}
	return false, nil
}

// pin pins indexes of a segment as far as room goes, of which used bytes are taken.
func (g *segment) pin(room int64, used *atomic.Int64) error {
	g.pinnedOf = used
	for _, x := range g.indexes {
		if x == nil {
			continue
		}
		n, err := inside.Of(x).Pin(room - used.Load())
		used.Add(n)
		if g.pinned += n; err != nil {
			return err
		}
	}
	return nil
}

// unpinned is called when the memory has been given back.
func (g *segment) unpinned() {
	if g.pinnedOf != nil {
		g.pinnedOf.Add(-g.pinned)
	}
}

// readAhead begins to read what searches need of the files, the first time that it is called.
func (g *segment) readAhead() error {
	if g.readBefore {
		return nil
	}
	g.readBefore = true
	for _, x := range g.indexes {
		if x == nil {
			continue
		}
		if err := inside.Of(x).ReadAhead(); err != nil {
			return err
		}
	}
	return nil
}
