package hnsw

import (
	"errors"
	"fmt"

	"github.com/shale-search/shale/vector"
)

// FlatImage is the content of a flat index, as files hold it.
type FlatImage struct {
	Config Config
	Count  int           // elements
	Labels []uint64      // Count
	Rows   vector.Matrix // Count rows, normalised if the metric is cosine
}

// WithImage calls fn with the index's present content. Changes of the index wait until fn returns; searches go on. The
// image must not be changed, nor kept.
func (f *Flat) WithImage(fn func(*FlatImage) error) error {
	f.change.RLock()
	defer f.change.RUnlock()
	g := f.graph.Load()
	if g == nil {
		return ErrClosed
	}
	return fn(f.image(g))
}

func (f *Flat) image(g *graph) *FlatImage {
	m := &FlatImage{Config: f.cfg, Count: f.Len()}
	m.Config.Capacity = g.capacity
	m.Labels, m.Rows = g.labels[:m.Count], g.rows.Slice(0, m.Count)
	return m
}

// RestoreFlat makes a flat index of count elements. fill gets an image whose arrays have their lengths and are zero, and
// writes the content, Rows through its RowBytes. An *ImageError tells of labels that are there twice.
func RestoreFlat(c Config, count int, fill func(*FlatImage) error) (*Flat, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	switch {
	case count < 0 || count > maxRows:
		return nil, fmt.Errorf("hnsw: %d elements are not possible", count)
	case !c.keepsRows():
		return nil, errors.New("hnsw: an index without a graph must keep rows")
	}
	c.M, c.BaseLinks, c.EfConstruction, c.Seed, c.ReplaceDelete = 0, 0, 0, 0, false
	c.Capacity = max(c.Capacity, count)
	g, err := newGraph(&c, c.Capacity, 0)
	if err != nil {
		return nil, err
	}
	f := &Flat{ids: make(map[uint64]uint32, count), scratch: make([]float32, c.Dim)}
	f.cfg = c
	f.count.Store(int64(count))
	f.entry.Store(none)
	m := f.image(g)
	if err = fill(m); err == nil {
		err = f.adopt(g, m)
	}
	if err != nil {
		g.release()
		return nil, err
	}
	f.graph.Store(g)
	return f, nil
}

// adopt takes in what was restored to g.
func (f *Flat) adopt(g *graph, m *FlatImage) error {
	f.next.known = true
	for i, label := range m.Labels {
		if err := checkLabel(label); err != nil {
			return &ImageError{"Labels", i, err.Error()}
		}
		if first, ok := f.ids[label]; ok {
			return &ImageError{"Labels", i, fmt.Sprintf("label %d is that of element %d already", label, first)}
		}
		id := uint32(i)
		f.ids[label] = id
		f.next.Met(label)
		g.ready.set(id)
	}
	return nil
}
