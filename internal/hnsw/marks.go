package hnsw

import "fmt"

// The marks of deleted elements can be changed where nothing else of a graph can: those of a graph in a mapped file are
// copied to memory first.

// OwnMarks lets SetDeleted change the marks of a graph in a mapped file. Nothing may use the graph meanwhile.
func (r *Reader) OwnMarks() error {
	return r.readGraph(func(g *graph, _ int) error {
		if !g.mapped {
			return nil
		}
		own := make(bitmap, len(g.deleted))
		if r.Deleted() > 0 {
			copy(own, g.deleted)
		}
		g.deleted = own
		return nil
	})
}

// SetDeleted marks an element deleted, or takes the mark away. Of an Index it serves only one that doesn't let new
// elements take the places of deleted ones.
func (r *Reader) SetDeleted(id uint32, deleted bool) error {
	return r.readGraph(func(g *graph, n int) error {
		switch {
		case int64(id) >= int64(n):
			return fmt.Errorf("hnsw: element %d of %d is to be marked", id, n)
		case g.deleted.get(id) == deleted:
		case deleted:
			g.deleted.set(id)
			r.removed.Add(1)
		default:
			g.deleted.clear(id)
			r.removed.Add(-1)
		}
		return nil
	})
}

// DeletedElements returns the elements that are marked deleted, in rising order.
func (r *Reader) DeletedElements() (ids []uint32, err error) {
	if r.Deleted() == 0 {
		return nil, nil
	}
	err = r.readGraph(func(g *graph, n int) error {
		for id := range uint32(n) {
			if g.deleted.get(id) {
				ids = append(ids, id)
			}
		}
		return nil
	})
	return ids, err
}
