package hnsw

import (
	"fmt"
	"slices"

	"github.com/shale-search/shale/internal/errlist"
	"github.com/shale-search/shale/internal/mmap"
)

// LabelsError reports the labels that a change of many labels left as they were, and why.
type LabelsError struct {
	Labels []uint64 // in the order in which they were given
	errs   errlist.List
}

// Error names the first few labels.
func (e *LabelsError) Error() string { return e.errs.Err().Error() }

// Unwrap returns the errors of the first few labels.
func (e *LabelsError) Unwrap() error { return e.errs.Err() }

// EachLabelOf calls change with each label. The error is a *LabelsError of those that change refused.
func EachLabelOf(labels []uint64, change func(label uint64) error) error {
	var failed LabelsError
	for _, l := range labels {
		if err := change(l); err != nil {
			failed.Labels = append(failed.Labels, l)
			failed.errs.Add(err)
		}
	}
	if len(failed.Labels) == 0 {
		return nil
	}
	return &failed
}

// Find reports whether an element has the label, and whether it is marked deleted.
func (x *Index) Find(label uint64) (deleted, ok bool, err error) {
	_, deleted, ok, err = x.Element(label)
	return deleted, ok, err
}

// Element is Find that also returns the element.
func (x *Index) Element(label uint64) (id uint32, deleted, ok bool, err error) {
	if x.backing != nil {
		defer mmap.Catch(mmap.Guard(), &err)
	}
	x.structure.RLock()
	defer x.structure.RUnlock()
	g := x.graph.Load()
	if g == nil {
		return 0, false, false, ErrClosed
	}
	id, ok = x.id(g, label)
	if !ok || !g.ready.get(id) {
		return 0, false, false, nil
	}
	return id, g.deleted.get(id), true, nil
}

// FindEach calls found with each of labels, which are sorted, that an element has, with the element, and whether that
// is marked deleted. It reads all labels of the index once.
func (r *Reader) FindEach(labels []uint64, found func(id uint32, label uint64, deleted bool)) error {
	return r.readGraph(func(g *graph, n int) error {
		for id := range uint32(n) {
			if !g.complete(id) {
				continue
			}
			label := g.label(id)
			if _, ok := slices.BinarySearch(labels, label); ok {
				found(id, label, g.deleted.get(id))
			}
		}
		return nil
	})
}

// CheckMark returns an error if a label is to be marked as it is marked already.
func CheckMark(label uint64, is, wanted bool) error {
	switch {
	case is && wanted:
		return fmt.Errorf("label %d: %w", label, ErrDeleted)
	case !is && !wanted:
		return fmt.Errorf("label %d: %w", label, ErrNotDeleted)
	}
	return nil
}
