package hnsw

import (
	"fmt"

	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/vector"
)

// Image is the content of an index array by array, as files hold it. Links are ids + 1; a zero ends a list that is not
// full.
type Image struct {
	Config   Config
	Count    int           // elements
	TopLevel int           // highest level, −1 if there are no elements
	Entry    uint32        // entry point, an element of the highest level
	Links0   []uint32      // Count lists of 2M links
	Levels   []uint8       // Count
	UpperAt  []uint32      // Count: index of the element's first list in Upper; undefined for those on level 0 only
	Upper    []uint32      // lists of M links: levels 1, 2, … of an element one after another
	Labels   []uint64      // Count
	Deleted  []uint32      // bitmap of Count bits
	Rows     vector.Matrix // Count rows, normalised if the metric is cosine; of External, those attached, if any

	Coded bool // whether there are codes: false until the index is trained, and where Config asks for none
	// Quantizer is Config.QuantizerValues of what codes are made by: the center or, of product quantization, two measures
	// of its error, the codebooks and the rotation, if any. None if Config asks for no codes.
	Quantizer []float32
	// Count rows of Config.CodeStride bytes, as far as they mean something; none if Config asks for no codes
	Codes []byte
}

// UpperLists returns the number of lists that Upper holds.
func (m *Image) UpperLists() int { return len(m.Upper) / m.Config.M }

// ImageError reports which element of which array of an image is wrong.
type ImageError struct {
	Field  string // as in Image
	Index  int    // element of that array
	Reason string
}

func (e *ImageError) Error() string { return fmt.Sprintf("%s[%d]: %s", e.Field, e.Index, e.Reason) }

// WithImage calls fn with the present content of the index. Changes wait until fn returns; searches go on. fn must
// neither change nor keep the image.
func (x *Index) WithImage(fn func(*Image) error) (err error) {
	if x.backing != nil {
		defer mmap.Catch(mmap.Guard(), &err)
	}
	m, release, err := x.Image()
	if err != nil {
		return err
	}
	defer release()
	return fn(m)
}

// Image returns the present content of the index, which must not be changed. Changes wait until release is called;
// searches go on. Callers read it under mmap.Guard, since it may lie in a file.
func (x *Index) Image() (m *Image, release func(), err error) {
	x.structure.Lock()
	defer func() {
		if release == nil {
			x.structure.Unlock()
		}
	}()
	g := x.graph.Load()
	if g == nil {
		return nil, nil, ErrClosed
	}
	if x.backing == nil {
		if err := x.connectLocked(true); err != nil {
			return nil, nil, err
		}
	}
	return x.image(g, x.lists), x.structure.Unlock, nil
}

// image views the graph's arrays.
func (r *Reader) image(g *graph, lists int) *Image {
	n := min(r.Len(), g.capacity)
	m := &Image{
		Config: r.cfg, Count: n, TopLevel: -1,
		Links0: g.plainLinks(n), Levels: g.levels[:n], UpperAt: g.upperAt[:n], Upper: g.upper[:lists*g.m],
		Labels: g.allLabels(n), Deleted: g.deleted[:(n+31)/32], Rows: g.rows.Slice(0, n),
	}
	m.Config.Capacity = g.capacity
	if e := r.entry.Load(); e != none {
		m.TopLevel, m.Entry = int(e>>32), uint32(e)
	}
	if c := g.coder.Load(); c != nil && !c.outside {
		m.Coded, m.Quantizer, m.Codes = true, c.q.values(), c.codes[:n*c.q.Stride()]
	}
	return m
}

// Restore returns an index of count elements with upperLists lists above level 0. It calls fill with an image whose
// arrays have their final lengths and are zero; fill writes the content, that of Rows through RowBytes. The content is
// checked completely. If it is wrong, the error is an *ImageError.
func Restore(c Config, count, upperLists int, fill func(*Image) error) (*Index, error) {
	x := &Index{}
	if err := x.restore(c, count, upperLists, fill); err != nil {
		return nil, err
	}
	g := x.graph.Load()
	err := checkLabels(g.labels[:count])
	if err == nil {
		x.lists, x.replacing = upperLists, c.ReplaceDelete
		x.nextRetrain.Store(trainRows)
		err = x.trainRestored(g)
	}
	if err != nil {
		g.release()
		return nil, err
	}
	return x, nil
}

func (r *Reader) restore(c Config, count, upperLists int, fill func(*Image) error) error {
	c, err := c.withDefaults()
	if err != nil {
		return err
	}
	c.Capacity = max(c.Capacity, count)
	if count < 0 || upperLists < 0 || c.Capacity > maxRows {
		return fmt.Errorf("hnsw: %d elements with %d upper lists are not possible", count, upperLists)
	}
	g, err := newGraph(&c, c.Capacity, upperLists+upperRoom(&c, count, c.Capacity))
	if err != nil {
		return err
	}
	r.cfg = c
	r.count.Store(int64(count))
	r.entry.Store(none)
	m := r.image(g, upperLists)
	codes, err := r.roomForCodes(g, m)
	if err == nil {
		err = fill(m)
	}
	if err == nil {
		err = m.Check()
	}
	switch {
	case err != nil:
	case m.Coded:
		err = r.adoptCodes(g, m, codes)
	default:
		err = r.prepareCodes(g)
	}
	if err != nil {
		g.release()
		return err
	}
	if m.TopLevel >= 0 {
		r.entry.Store(uint64(m.TopLevel)<<32 | uint64(m.Entry))
	}
	for id := range uint32(count) {
		g.ready.set(id)
		if g.deleted.get(id) {
			r.removed.Add(1)
		}
	}
	r.noCopies.Store(!m.mayHaveCopies())
	r.graph.Store(g)
	return nil
}

// Check tests the rules that searches rely on. Every link leads to another element that has a list on that level; every
// list is inside Upper and belongs to one element; no mark stands past the last element; the entry point is on the
// highest level; scales of rows, or codes if there are no rows, are finite. The error is an *ImageError.
func (m *Image) Check() error {
	if m.Count == 0 {
		if m.TopLevel != -1 {
			return &ImageError{"TopLevel", 0, fmt.Sprintf("%d in an index without elements", m.TopLevel)}
		}
		return nil
	}
	if int64(m.Entry) >= int64(m.Count) || m.TopLevel != int(m.Levels[m.Entry]) {
		return &ImageError{"Entry", 0, fmt.Sprintf("element %d of %d is not on the top level %d",
			m.Entry, m.Count, m.TopLevel)}
	}
	if used := m.Count & 31; used != 0 && m.Deleted[len(m.Deleted)-1]>>used != 0 {
		return &ImageError{"Deleted", len(m.Deleted) - 1, fmt.Sprintf("marks past the last of %d elements", m.Count)}
	}
	owned := make(bitmap, (m.UpperLists()+31)/32)
	for id := range m.Count {
		if err := m.checkElement(id, owned); err != nil {
			return err
		}
	}
	return m.checkVectors()
}

// checkElement tests element id; owned marks the upper lists of the elements before it.
func (m *Image) checkElement(id int, owned bitmap) error {
	level := int(m.Levels[id])
	if level > m.TopLevel {
		return &ImageError{"Levels", id, fmt.Sprintf("level %d is above the top level %d", level, m.TopLevel)}
	}
	m0 := 2 * m.Config.M
	if err := m.checkList("Links0", m.Links0, id*m0, m0, id, 0); err != nil {
		return err
	}
	if level == 0 {
		return nil
	}
	first := int(m.UpperAt[id])
	if first > m.UpperLists()-level {
		return &ImageError{"UpperAt", id, fmt.Sprintf("%d lists from list %d, there are %d", level, first, m.UpperLists())}
	}
	for l := 1; l <= level; l++ {
		list := uint32(first + l - 1)
		if owned.get(list) {
			return &ImageError{"UpperAt", id, fmt.Sprintf("list %d is another element's", list)}
		}
		owned.set(list)
		if err := m.checkList("Upper", m.Upper, (first+l-1)*m.Config.M, m.Config.M, id, l); err != nil {
			return err
		}
	}
	return nil
}

func (m *Image) checkList(field string, links []uint32, at, longest, id, level int) error {
	ended := false
	for i, n := range links[at : at+longest] {
		switch to := int64(n) - 1; {
		case n == 0:
			ended = true
		case ended: // a link added before it would bring it to life
			return &ImageError{field, at + i, fmt.Sprintf("element %d has %d after the end of its list", id, n)}
		case to >= int64(m.Count) || to == int64(id):
			return &ImageError{field, at + i, fmt.Sprintf("element %d links to %d of %d", id, to, m.Count)}
		case int(m.Levels[to]) < level:
			return &ImageError{field, at + i, fmt.Sprintf("element %d links to %d on level %d, which has %d",
				id, to, level, m.Levels[to])}
		}
	}
	return nil
}
