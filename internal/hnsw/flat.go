package hnsw

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/stop"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// Flat is an index without a graph: a search scores every row and is exact; ties go to the smaller label. Searches,
// additions and deletions may run concurrently. A filter must not call methods of the index.
type Flat struct {
	Reader // its graph has rows and labels, but no links

	// change is held for writing by every change, and for reading by a search that a change has overtaken.
	change  sync.RWMutex
	ids     map[uint64]uint32
	scratch []float32 // one row
	next    LabelCounter
}

// NewFlat returns an empty flat index. It uses Dim, Metric, Custom, Storage, Capacity and FixedCapacity of c.
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

// ReserveLabels takes n labels that follow the largest that any row has had, and returns the
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
		rowtype.Encode(g.rows, int(id), f.scratch)
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
	rowtype.Encode(g.rows, n, f.scratch)
	g.setLabel(uint32(n), label)
	g.ready.set(uint32(n))
	f.ids[label] = uint32(n)
	f.next.Met(label)
	f.count.Store(int64(n + 1))
	return nil
}

// find returns the present graph and the row of label in it. The caller holds change.
func (f *Flat) find(label uint64) (*graph, uint32, error) {
	g := f.graph.Load()
	if g == nil {
		return nil, 0, ErrClosed
	}
	id, ok := f.ids[label]
	if !ok {
		return nil, 0, fmt.Errorf("%w: %d", ErrLabel, label)
	}
	return g, id, nil
}

// Delete removes label for good. The last row moves to its place.
func (f *Flat) Delete(label uint64) error {
	f.change.Lock()
	defer f.change.Unlock()
	g, id, err := f.find(label)
	if err != nil {
		return err
	}
	last := uint32(f.Len() - 1)
	f.epoch.Add(1)
	defer f.epoch.Add(1)
	if id != last {
		moved := g.label(last)
		rowtype.Move(g.rows, int(id), int(last))
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
	g, id, err := f.find(label)
	if err != nil {
		return err
	}
	g.rows.Decode(int(id), dst)
	return nil
}

// Labels returns the labels of all elements in the order of their rows.
func (f *Flat) Labels() ([]uint64, error) {
	var labels []uint64
	err := f.WithImage(func(m *FlatImage) error {
		labels = append(make([]uint64, 0, m.Count), m.Labels...)
		return nil
	})
	return labels, err
}

// Capacity returns the number of elements that there is room for now.
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

// Close frees the index's memory once the searches under way have ended. Later calls return ErrClosed.
func (f *Flat) Close() error {
	f.change.Lock()
	defer f.change.Unlock()
	if g := f.graph.Swap(nil); g != nil {
		g.release()
	}
	return nil
}

// Search returns the k elements nearest to query (dim values), nearest first, ties by smaller label. Options.Ef has no
// meaning here; a stop condition gets every element.
func (f *Flat) Search(query []float32, k int, o search.Options) ([]search.Neighbor, error) {
	return f.SearchInto(make([]search.Neighbor, 0, max(min(k, f.Len()), 0)), query, k, o)
}

// SearchInto is Search that appends the results to dst. With room in dst it doesn't allocate.
func (f *Flat) SearchInto(dst []search.Neighbor, query []float32, k int, o search.Options) ([]search.Neighbor, error) {
	return f.searchInto(dst, query, k, &task{o: o})
}

// searchInto does a search of which the task holds the options.
func (f *Flat) searchInto(dst []search.Neighbor, query []float32, k int, t *task) ([]search.Neighbor, error) {
	found, calm, err := f.attempt(dst, query, k, t)
	if err != nil || calm {
		return found, err
	}
	f.change.RLock() // rows have moved meanwhile: once more, while changes wait
	defer f.change.RUnlock()
	found, _, err = f.attempt(dst, query, k, t)
	return found, err
}

// attempt searches once and reports whether no stored row changed meanwhile.
func (f *Flat) attempt(dst []search.Neighbor, query []float32, k int, of *task) ([]search.Neighbor, bool, error) {
	began, n := f.epoch.Load(), f.Len()
	s, err := f.begin(query, k, &of.o)
	if err != nil {
		return dst, false, err
	}
	defer f.end(s)
	s.task = *of
	t := &s.task
	t.start(k, min(n, s.g.capacity), began)
	if t.o.Stop == nil {
		t.keys = s.exact(s.g, t.n, t.filter, t.k)
	} else {
		s.filtered.reset(s.g, t.n, t.filter, t.o.Stop)
		s.scan(s.g, t.n, nil, &s.filtered) // which asks the filter itself
		t.keys = s.filtered.sorted()
	}
	t.exact = true
	if t.o.Stats != nil {
		*t.o.Stats = s.stats()
	}
	found := s.resolve(&f.Reader, s.g, t.keys)
	if t.o.Stop != nil {
		found = finish((*stop.Rule)(t.o.Stop).Condition(), found)
	}
	if began&1 != 0 || f.epoch.Load() != began {
		return dst, false, nil
	}
	return append(dst, found...), true, nil
}

// SearchBatch searches for the rows of queries. An error names the first row that failed.
func (f *Flat) SearchBatch(ctx context.Context, queries vector.Matrix, k int,
	o search.Options) (*search.Results, error) {
	return f.searchBatch(ctx, f, queries, k, o)
}

// SearchBatchInto is SearchBatch that writes to out, which has room for out.K elements a query.
func (f *Flat) SearchBatchInto(ctx context.Context, queries vector.Matrix,
	out *search.Results, o search.Options) error {
	return f.searchBatchInto(ctx, f, queries, out, o)
}

// FlatImage is the content of a flat index, as files hold it.
type FlatImage struct {
	Config Config
	Count  int           // elements
	Labels []uint64      // Count
	Rows   vector.Matrix // Count rows, normalised if the metric is cosine
}

// WithImage calls fn with the present content of the index. Changes wait until fn returns; searches go on. fn must
// neither change nor keep the image.
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

// RestoreFlat returns a flat index of count elements. It calls fill with an image whose arrays have their final lengths
// and are zero; fill writes the content, that of Rows through RowBytes. If a label is there twice, the error is an
// *ImageError.
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
