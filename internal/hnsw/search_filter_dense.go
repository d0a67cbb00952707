package hnsw

import "github.com/shale-search/shale/search"

// denseFilter is a filter's set resolved to element numbers. It holds while no label moves to another element, which the
// epoch tells; later elements are asked for by label.
type denseFilter struct {
	allowed bitmap
	count   int    // elements allowed
	epoch   uint64 // when it was resolved
}

func (d *denseFilter) covers(id uint32) bool { return int(id>>5) < len(d.allowed) }

// at returns d if it holds for a search that begins at epoch, and nil otherwise.
func (d *denseFilter) at(epoch uint64) *denseFilter {
	if d == nil || d.epoch != epoch {
		return nil
	}
	return d
}

// resolved returns f's set resolved to elements, or nil if it has none or a row is rewritten meanwhile.
func (r *Reader) resolved(f *search.Filter) (*denseFilter, error) {
	if f == nil || f.Bitmap() == nil {
		return nil, nil
	}
	d, set := &denseFilter{epoch: r.epoch.Load()}, f.Bitmap()
	words := r.Len() / 32
	g, err := r.view()
	if err != nil {
		return nil, err
	}
	defer g.release()
	d.allowed = make(bitmap, min(words, len(g.ready)))
	for id := range uint32(len(d.allowed) * 32) {
		if set.Contains(g.label(id)) {
			d.allowed[id>>5] |= 1 << (id & 31)
			d.count++
		}
	}
	if d.epoch&1 != 0 || r.epoch.Load() != d.epoch {
		return nil, nil
	}
	return d, nil
}
