package hnsw

// denseFilter is a filter's set resolved to element numbers. It holds while no label moves to another element, which the
// epoch tells; later elements are asked for by label.
type denseFilter struct {
	elements bitmap
	count    int    // elements allowed
	epoch    uint64 // when it was resolved
	source   *Filter
}

func (d *denseFilter) covers(id uint32) bool { return int(id>>5) < len(d.elements) }

// byLabel is the filter that asks by label.
func (f *Filter) byLabel() *Filter {
	if f != nil && f.dense != nil {
		return f.dense.source
	}
	return f
}

// at is the filter to use by a search that begins at epoch.
func (f *Filter) at(epoch uint64) *Filter {
	if f != nil && f.dense != nil && f.dense.epoch != epoch {
		return f.dense.source
	}
	return f
}

// resolved is f with its set resolved to elements, or f itself if it has none or a row is rewritten meanwhile.
func (r *Reader) resolved(f *Filter) (*Filter, error) {
	if f == nil || f.set == nil {
		return f, nil
	}
	d := &denseFilter{epoch: r.epoch.Load(), source: f}
	words := r.Len() / 32
	g, err := r.view()
	if err != nil {
		return nil, err
	}
	defer g.release()
	d.elements = make(bitmap, min(words, len(g.ready)))
	for id := range uint32(len(d.elements) * 32) {
		if f.set.Contains(g.label(id)) {
			d.elements[id>>5] |= 1 << (id & 31)
			d.count++
		}
	}
	if d.epoch&1 != 0 || r.epoch.Load() != d.epoch {
		return f, nil
	}
	return &Filter{allow: f.allow, set: f.set, dense: d}, nil
}
