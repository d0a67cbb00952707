package collection

import (
	"errors"
	"slices"
	"sort"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// state is the segments at one moment. It never changes.
type state struct {
	counters
	views []view       // by numbers; the last one grows
	refs  atomic.Int64 // 1 for the collection, and 1 for each reading
}

func newState(c counters, views []view) *state {
	s := &state{counters: c, views: views}
	s.refs.Store(1)
	for _, v := range views {
		v.refs.Add(1)
	}
	return s
}

// release frees the segments that no other state holds, once nobody reads the state any more.
func (s *state) release() error {
	if s.refs.Add(-1) > 0 {
		return nil
	}
	var errs []error
	for _, v := range s.views {
		if v.refs.Add(-1) == 0 {
			errs = append(errs, v.close())
			close(v.gone)
		}
	}
	return errors.Join(errs...)
}

// growing returns the place of the segment that grows.
func (s *state) growing() int { return len(s.views) - 1 }

// unsealed returns the place of the first segment in memory.
func (s *state) unsealed() int {
	return sort.Search(s.growing(), func(i int) bool { return !s.views[i].sealed })
}

// place returns the place of a segment, or -1.
func (s *state) place(g *segment) int {
	return slices.IndexFunc(s.views, func(v view) bool { return v.segment == g })
}

// viewOf returns the place of the segment that a document's number belongs to, or -1.
func (s *state) viewOf(number uint64) int {
	i := sort.Search(len(s.views), func(i int) bool { return number < s.views[i].End })
	if i == len(s.views) || number < s.views[i].First {
		return -1
	}
	return i
}

// with returns the views of a state in which one is another.
func (s *state) with(at int, v view) []view {
	views := slices.Clone(s.views)
	views[at] = v
	return views
}

// reading is one state of a collection, its documents included.
type reading struct {
	*state
	c        *Collection
	snapshot *pebble.Snapshot
}

// read begins a reading. The caller must end it.
func (c *Collection) read() (*reading, error) {
	if err := c.enter(); err != nil {
		return nil, err
	}
	return c.hold(), nil
}

// pin returns the state, which the caller must release.
func (c *Collection) pin() *state {
	c.publishing.RLock()
	defer c.publishing.RUnlock()
	c.state.refs.Add(1)
	return c.state
}

// end ends the reading.
func (r *reading) end() error {
	defer r.c.leave()
	return r.drop()
}

// hold is read within a call that has entered. The caller must drop the reading.
func (c *Collection) hold() *reading {
	c.publishing.RLock()
	defer c.publishing.RUnlock()
	r := &reading{c.state, c, c.db.NewSnapshot()}
	r.refs.Add(1)
	return r
}

// drop ends a reading that hold began.
func (r *reading) drop() error { return errors.Join(r.snapshot.Close(), r.release()) }

// publish makes next the state that reads see. The store's changes that belong to it are applied by apply at the same
// moment.
func (c *Collection) publish(next *state, apply func() error) error {
	c.publishing.Lock()
	if err := apply(); err != nil {
		c.publishing.Unlock()
		next.forget()
		return err
	}
	before := c.state
	c.state = next
	c.publishing.Unlock()
	_ = before.release() // the change is made, whether or not memory could be given back
	return nil
}

// storesNothing is what a publication applies that changes nothing in the store. It can't fail.
func storesNothing() error { return nil }

// forget undoes newState for a state that wasn't published. Its segments stay open.
func (s *state) forget() {
	for _, v := range s.views {
		v.refs.Add(-1)
	}
}
