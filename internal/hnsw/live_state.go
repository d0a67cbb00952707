package hnsw

import (
	"fmt"
)

// State is the part of an index that isn't in its parts.
type State struct {
	// Unsure says that after a power cut, or a failed write, any page of the parts may be as it was at any time since the
	// state was settled. Recover then reads everything and keeps only elements whose checksums are right.
	Unsure   bool
	Epoch    uint32 // which goes up each time that a state is settled
	Count    int    // elements
	Lists    int    // lists in use in PartUpper
	Deleted  int    // elements marked deleted
	TopLevel int    // highest level, −1 if there are no elements
	Entry    uint32 // entry point
	Coded    bool   // whether the index is trained
	Center   []float32
}

// check tests a state that comes from a file.
func (s *State) check(c *Config, g *graph) error {
	switch {
	case s.Count < 0 || s.Count > c.Capacity || s.Deleted < 0 || s.Deleted > s.Count:
		return &ImageError{"Count", 0, fmt.Sprintf("%d elements, %d of them deleted, in room for %d",
			s.Count, s.Deleted, c.Capacity)}
	case s.Lists < 0 || s.Lists > len(g.upper)/g.m:
		return &ImageError{"Lists", 0, fmt.Sprintf("%d lists above level 0, of %d", s.Lists, len(g.upper)/g.m)}
	case s.TopLevel < -1 || s.TopLevel > maxLevel || (s.TopLevel < 0) != (s.Count == 0) ||
		s.TopLevel >= 0 && int64(s.Entry) >= int64(s.Count):
		return &ImageError{"Entry", 0, fmt.Sprintf("element %d on level %d of %d elements", s.Entry, s.TopLevel, s.Count)}
	case s.Coded && len(s.Center) != c.Dim:
		return &ImageError{"Center", 0, fmt.Sprintf("%d values, not %d", len(s.Center), c.Dim)}
	case !s.Coded && !c.keepsRows() && s.Count > 0:
		return &ImageError{"Center", 0, fmt.Sprintf("%d elements have neither rows nor codes", s.Count)}
	}
	return nil
}

// state returns what the backing keeps beside the parts. The caller holds structure for writing.
func (x *Index) state(g *graph) State {
	s := State{Epoch: x.undo.epoch + 1, Count: x.Len(), Lists: x.lists, Deleted: x.Deleted(), TopLevel: -1}
	if e := x.entry.Load(); e != none {
		s.TopLevel, s.Entry = int(e>>32), uint32(e)
	}
	if c := g.coder.Load(); c != nil {
		s.Coded, s.Center = true, c.q.values()
	}
	return s
}
