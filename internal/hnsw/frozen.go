package hnsw

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/shale-search/shale/internal/rowtype"
)

// Frozen is a read-only graph. Its elements are renumbered so that those near in the graph are near in memory.
type Frozen struct{ Reader }

// Close frees the memory once the searches under way have ended. Later calls return ErrClosed.
func (f *Frozen) Close() error {
	if g := f.graph.Swap(nil); g != nil {
		g.release()
	}
	return nil
}

// WithImage calls fn with the content. fn must neither change nor keep the image.
func (f *Frozen) WithImage(fn func(*Image) error) error {
	m, release, err := f.Image()
	if err != nil {
		return err
	}
	defer release()
	return fn(m)
}

// Image returns the content, which must not be changed, and is valid until release is called.
func (f *Frozen) Image() (m *Image, release func(), err error) {
	g, err := f.view()
	if err != nil {
		return nil, nil, err
	}
	return f.image(g, len(g.upper)/g.m), g.release, nil
}

// Freeze returns a read-only copy of the index, with elements in breadth-first order from the entry point. Elements of
// an external index keep their numbers, and the copy has the same rows attached.
func (x *Index) Freeze() (*Frozen, error) {
	var f *Frozen
	err := x.WithImage(func(m *Image) error {
		var err error
		if f, err = freeze(m); err == nil && m.Config.external() && m.Rows.Type() != rowtype.External {
			err = f.Attach(m.Rows, AttachOptions{Mapped: x.graph.Load().mapped})
		}
		return err
	})
	return f, err
}

func freeze(m *Image) (*Frozen, error) {
	order := breadthFirst(m)
	if m.Config.external() {
		slices.Sort(order) // element i stays row i
	}
	c := m.Config
	c.Capacity = m.Count
	return RestoreFrozen(c, m.Count, m.UpperLists(), func(to *Image) error {
		renumber(to, m, order)
		return nil
	})
}

// RestoreFrozen is Restore for a read-only graph. An external graph doesn't store labels that are consecutive numbers,
// and packs its links if it has no codes: links are most of its memory, and unpacking them costs little beside scoring
// rows.
func RestoreFrozen(c Config, count, upperLists int, fill func(*Image) error) (*Frozen, error) {
	c.Capacity = count
	f := &Frozen{}
	if err := f.restore(c, count, upperLists, fill); err != nil {
		return nil, fmt.Errorf("frozen graph: %w", err)
	}
	var err error
	if c.external() {
		err = f.dropConsecutiveLabels()
	}
	if err == nil && c.external() && c.Codes.Bits == 0 {
		err = f.pack()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// breadthFirst returns the order in which a breadth-first search from the entry point over level 0 meets the elements;
// those that it doesn't reach follow.
func breadthFirst(m *Image) []uint32 {
	order := make([]uint32, 0, m.Count)
	met := make([]bool, m.Count)
	m0 := 2 * m.Config.M
	visit := func(from uint32) {
		met[from] = true
		order = append(order, from)
		for i := len(order) - 1; i < len(order); i++ {
			at := int(order[i]) * m0
			for _, n := range m.Links0[at : at+m0] {
				if n == 0 {
					break
				}
				if !met[n-1] {
					met[n-1] = true
					order = append(order, n-1)
				}
			}
		}
	}
	if m.Count > 0 {
		visit(m.Entry)
	}
	for id := range uint32(m.Count) {
		if !met[id] {
			visit(id)
		}
	}
	return order
}

// places returns each element's new number + 1 where element order[i] becomes element i.
func places(order []uint32) []uint32 {
	place := make([]uint32, len(order))
	for i, old := range order {
		place[old] = uint32(i) + 1
	}
	return place
}

// renumber writes from's content to to, element order[i] becoming element i.
func renumber(to, from *Image, order []uint32) {
	place := places(order)
	move := func(dst, src []uint32) {
		for i, n := range src {
			if n == 0 {
				break
			}
			dst[i] = place[n-1]
		}
	}
	to.TopLevel = from.TopLevel
	if from.TopLevel >= 0 {
		to.Entry = place[from.Entry] - 1
	}
	m, m0 := from.Config.M, 2*from.Config.M
	to.Coded = from.Coded
	copy(to.Quantizer, from.Quantizer)
	code := len(from.Codes) / max(from.Count, 1)
	lists := 0
	for i, old := range order {
		o, level := int(old), int(from.Levels[old])
		move(to.Links0[i*m0:(i+1)*m0], from.Links0[o*m0:(o+1)*m0])
		to.Levels[i], to.Labels[i], to.UpperAt[i] = from.Levels[o], from.Labels[o], uint32(lists)
		if !from.Config.external() {
			copy(to.Rows.RowBytes(i), from.Rows.RowBytes(o))
		}
		copy(to.Codes[i*code:(i+1)*code], from.Codes[o*code:(o+1)*code])
		if bitmap(from.Deleted).get(old) {
			bitmap(to.Deleted).set(uint32(i))
		}
		for l := range level {
			move(to.Upper[(lists+l)*m:(lists+l+1)*m], from.Upper[(int(from.UpperAt[o])+l)*m:][:m])
		}
		lists += level
	}
}

// MapFrozen returns a read-only graph over the arrays of m, which are in mapped files. It reads none of them, so that
// it costs next to nothing however large they are. Searches skip links that lead nowhere, and return an error if the
// memory can't be read. deleted is the number of elements marked deleted. Close closes owner; if MapFrozen fails, the
// caller closes it.
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
