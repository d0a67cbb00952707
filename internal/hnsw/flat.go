package hnsw

import (
	"context"
	"fmt"
	"sync"

	"github.com/shale-search/shale/vector"
)

// Flat is the index without a graph: a search scores every row and is exact, ties by smaller label. Searches, additions
// and deletions may run at the same time. A filter must not call the index's methods.
type Flat struct {
	Reader // its graph has rows and labels, but no links

	// change is held for writing by every change, and for reading by a search that a change has overtaken.
	change  sync.RWMutex
	ids     map[uint64]uint32
	scratch []float32 // one row
	next    LabelCounter
}

// NewFlat makes an empty flat index. Of c it heeds Dim, Metric, Custom, Storage, Capacity and FixedCapacity.
func NewFlat(c Config) (*Flat, error) {
	return RestoreFlat(c, 0, func(*FlatImage) error { return nil })
}

// Add puts vec (dim values) into the index under label, or overwrites the vector of a label that is there.
func (f *Flat) Add(label uint64, vec []float32, o AddOptions) error {
	if o.ReplaceDeleted {
		return ErrReplaceDisabled
	}
	if err := checkLabel(label); err != nil {
		return err
	}
	if err := f.cfg.checkVector(vec); err != nil {
		return fmt.Errorf("label %d: %w", label, err)
	}
	f.change.Lock()
	defer f.change.Unlock()
	copy(f.scratch, vec)
	return f.put(label)
}

// AddBatch adds rows under labels or, if labels is nil, under those that ReserveLabels gives. Of rows with one label
// the last stays. On an error or when ctx ends some rows may have been added; the error says how many.
func (f *Flat) AddBatch(ctx context.Context, rows vector.Matrix, labels []uint64, o BatchOptions) error {
	if err := f.cfg.CheckBatch(rows, labels); err != nil || rows.Rows() == 0 {
		return err
	}
	if o.ReplaceDeleted {
		return ErrReplaceDisabled
	}
	base := uint64(0)
	if labels == nil {
		var err error
		if base, err = f.ReserveLabels(rows.Rows()); err != nil {
			return err
		}
	}
	for row := range rows.Rows() {
		label := base + uint64(row)
		if labels != nil {
			label = labels[row]
		}
		err := ctx.Err()
		if err == nil {
			err = f.addRow(label, rows, row)
		}
		if err != nil {
			return fmt.Errorf("after %d of %d rows: %w", row, rows.Rows(), err)
		}
		if done := row + 1; o.Progress != nil && (done%256 == 0 || done == rows.Rows()) {
			o.Progress(done)
		}
	}
	return nil
}

// ReserveLabels takes n labels that follow the largest that any row has had, and gives the
// first. No other call gets them.
func (f *Flat) ReserveLabels(n int) (first uint64, err error) {
	f.change.Lock()
	defer f.change.Unlock()
	return f.next.Reserve(n)
}

func (f *Flat) addRow(label uint64, rows vector.Matrix, row int) error {
	f.change.Lock()
	defer f.change.Unlock()
	rows.Decode(row, f.scratch)
	return f.put(label)
}

// put stores scratch under label; the caller holds change for writing.
func (f *Flat) put(label uint64) error {
	g := f.graph.Load()
	if g == nil {
		return ErrClosed
	}
	if f.cfg.Metric == vector.Cosine {
		vector.Normalize(f.scratch)
	}
	if id, ok := f.ids[label]; ok {
		f.epoch.Add(1)
		g.rows.Encode(int(id), f.scratch)
		f.epoch.Add(1)
		return nil
	}
	n := f.Len()
	if n == g.capacity {
		if err := f.enlarge(0); err != nil {
			return err
		}
		g = f.graph.Load()
	}
	g.rows.Encode(n, f.scratch)
	g.setLabel(uint32(n), label)
	g.ready.set(uint32(n))
	f.ids[label] = uint32(n)
	f.next.Met(label)
	f.count.Store(int64(n + 1))
	return nil
}

// Delete removes label for good. The last row moves to its place.
func (f *Flat) Delete(label uint64) error {
	f.change.Lock()
	defer f.change.Unlock()
	g := f.graph.Load()
	if g == nil {
		return ErrClosed
	}
	id, ok := f.ids[label]
	if !ok {
		return fmt.Errorf("%w: %d", ErrLabel, label)
	}
	last := uint32(f.Len() - 1)
	f.epoch.Add(1)
	defer f.epoch.Add(1)
	if id != last {
		moved := g.label(last)
		g.rows.Move(int(id), int(last))
		g.setLabel(id, moved)
		f.ids[moved] = id
	}
	delete(f.ids, label)
	g.ready.clear(last)
	f.count.Store(int64(last))
	return nil
}

// Vector writes the stored vector of label, normalised if the metric is cosine, to dst (dim values).
func (f *Flat) Vector(label uint64, dst []float32) error {
	if len(dst) != f.cfg.Dim {
		return fmt.Errorf("%w: room for %d values, the index has %d", vector.ErrDim, len(dst), f.cfg.Dim)
	}
	f.change.RLock()
	defer f.change.RUnlock()
	g := f.graph.Load()
	if g == nil {
		return ErrClosed
	}
	id, ok := f.ids[label]
	if !ok {
		return fmt.Errorf("%w: %d", ErrLabel, label)
	}
	g.rows.Decode(int(id), dst)
	return nil
}

// Labels gives the labels of all elements in the order of their rows.
func (f *Flat) Labels() ([]uint64, error) {
	var labels []uint64
	err := f.WithImage(func(m *FlatImage) error {
		labels = append(make([]uint64, 0, m.Count), m.Labels...)
		return nil
	})
	return labels, err
}

// Capacity is the number of elements that there is room for now.
func (f *Flat) Capacity() int {
	f.change.RLock()
	defer f.change.RUnlock()
	if g := f.graph.Load(); g != nil {
		return g.capacity
	}
	return 0
}

// Resize makes room for capacity elements, no fewer than there are.
func (f *Flat) Resize(capacity int) error {
	f.change.Lock()
	defer f.change.Unlock()
	return f.resize(capacity, 0)
}

// Close frees the index's memory, once the searches under way have ended. A closed index answers ErrClosed.
func (f *Flat) Close() error {
	f.change.Lock()
	defer f.change.Unlock()
	if g := f.graph.Swap(nil); g != nil {
		g.release()
	}
	return nil
}
