package hnsw

import (
	"io"
)

// MapFrozen makes a read-only graph of the arrays of m, which lie in mapped files and stay where they are, so that it costs
// next to nothing however large they are. They aren't tested: searches pass over links that lead nowhere, and give an error
// where the memory can't be read. deleted is the number of elements marked so. The graph closes owner in the end; on an
// error the caller still has to.
func MapFrozen(m *Image, deleted int, owner io.Closer) (*Frozen, error) {
	c, err := m.Config.withDefaults()
	if err != nil {
		return nil, err
	}
	c.Capacity = m.Count
	g := &graph{
		m0: 2 * c.M, m: c.M, capacity: m.Count, links0: m.Links0, upper: m.Upper, upperAt: m.UpperAt, levels: m.Levels,
		labels: m.Labels, deleted: m.Deleted, rows: m.Rows, mapped: true, checked: true, owner: owner,
	}
	g.refs.Store(1)
	f := &Frozen{}
	f.cfg = c
	f.count.Store(int64(m.Count))
	f.removed.Store(int64(deleted))
	f.entry.Store(none)
	if m.TopLevel >= 0 {
		f.entry.Store(uint64(m.TopLevel)<<32 | uint64(m.Entry))
	}
	if m.Coded {
		q, err := c.newQuantizer(m.Quantizer)
		if err != nil {
			return nil, err
		}
		g.coder.Store(&coder{q: q, codes: m.Codes})
	}
	f.graph.Store(g)
	return f, nil
}

// faulty reports whether reading the index's arrays or rows may fault.
func (r *Reader) faulty() bool {
	g := r.graph.Load()
	return g != nil && g.mapped
}

// Faulty reports whether searches read files that are mapped, so that a Probe may fault: its user guards against that.
func (r *Reader) Faulty() bool { return r.faulty() }
