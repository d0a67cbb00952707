package hnsw

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/vector"
)

// A child of fork(2) has its parent's memory, but not the threads of the parent's Go runtime. It starts a new runtime,
// which takes over the parent's indexes. It can, since their arrays are outside the Go heap, or in the heap of the old
// runtime, which frees nothing any more. It only needs to know their addresses.

// ErrChanging reports a Hold while a change of the index took longer than it waits.
var ErrChanging = errors.New("the index is being changed")

// Span is a part of memory.
type Span struct {
	At  uintptr
	Len int // elements
}

// Memory describes an index in the memory of a process: where its arrays are and what else it consists of.
type Memory struct {
	Config         Config
	Count, Removed int
	Capacity       int
	Entry          uint64
	Lists          int // above level 0 in use

	Links0, Upper, UpperAt, Levels, Labels, Deleted, Ready Span

	Rows      Span // bytes
	RowType   vector.Type
	RowStride int
	RowCount  int
	Mapped    bool // reading rows may fault
	Checked   bool // links lie in a file too
	Backed    bool // so does all else, and the other process may change it

	Quantizer, Codes Span // of an index with codes of its own; else empty

	values []float32 // that Quantizer is, for as long as the index is held
}

// Hold stops all changes of the index and returns a description of its memory, which is valid until release is called.
// If a change takes longer than patience, it returns ErrChanging.
func (x *Index) Hold(patience time.Duration) (m *Memory, release func(), err error) {
	if !lockWithin(&x.structure, patience) {
		return nil, nil, ErrChanging
	}
	g := x.graph.Load()
	if g == nil {
		x.structure.Unlock()
		return nil, nil, ErrClosed
	}
	m = x.memory(g, x.lists)
	m.Backed = x.backing != nil
	return m, func() { runtime.KeepAlive(m.values); x.structure.Unlock() }, nil
}

// Hold is Index.Hold.
func (f *Flat) Hold(patience time.Duration) (m *Memory, release func(), err error) {
	if !lockWithin(&f.change, patience) {
		return nil, nil, ErrChanging
	}
	g := f.graph.Load()
	if g == nil {
		f.change.Unlock()
		return nil, nil, ErrClosed
	}
	return f.memory(g, 0), f.change.Unlock, nil
}

// lockWithin locks mu and reports true, or gives up after patience.
func lockWithin(mu *sync.RWMutex, patience time.Duration) bool {
	locked, abandoned := make(chan struct{}), make(chan struct{})
	go func() {
		mu.Lock()
		select {
		case locked <- struct{}{}:
		case <-abandoned:
			mu.Unlock()
		}
	}()
	select {
	case <-locked:
		return true
	case <-time.After(patience):
		close(abandoned)
		return false
	}
}

func spanOf[T any](s []T) Span {
	return Span{At: uintptr(unsafe.Pointer(unsafe.SliceData(s))), Len: len(s)}
}

// stretch returns the memory of s. The race detector's check of pointers takes it for arithmetic gone wrong: that
// memory is another runtime's.
//
//go:nocheckptr
func stretch[T any](s Span) []T {
	if s.Len == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Add(nil, s.At)), s.Len)
}

func (r *Reader) memory(g *graph, lists int) *Memory {
	m := &Memory{
		Config: r.cfg, Count: r.Len(), Removed: r.Deleted(), Capacity: g.capacity, Entry: r.entry.Load(), Lists: lists,
		Links0: spanOf(g.links0), Upper: spanOf(g.upper), UpperAt: spanOf(g.upperAt), Levels: spanOf(g.levels),
		Labels: spanOf(g.labels), Deleted: spanOf(g.deleted), Ready: spanOf(g.ready),
		Rows: spanOf(g.rowBytes), RowType: g.rows.Type(), RowStride: g.rows.Stride(), RowCount: g.rows.Rows(),
		Mapped: g.mapped, Checked: g.checked,
	}
	if r.cfg.external() && g.attached() && g.rows.Rows() > 0 {
		first := uintptr(unsafe.Pointer(unsafe.SliceData(g.rows.RowBytes(0))))
		m.Rows = Span{first, (g.rows.Rows()-1)*g.rows.Stride() + rowtype.Size(g.rows.Type(), g.rows.Dim())}
	}
	if c := g.coder.Load(); c != nil && !c.outside {
		m.values = c.q.values()
		m.Quantizer, m.Codes = spanOf(m.values), spanOf(c.codes)
	}
	return m
}

// IndexFromMemory returns an index over memory that Hold has described in the parent process, before it forked this
// one. Both processes share the memory until either writes to it; it is never freed. An index in a file is read-only
// here, since the parent process changes it.
func IndexFromMemory(m *Memory) (*Index, error) {
	x := &Index{lists: m.Lists, replacing: m.Config.ReplaceDelete}
	g, err := x.fromMemory(m)
	if err != nil {
		return nil, err
	}
	if g.inbound, err = m.allocInbound(g); err != nil {
		return nil, err
	}
	x.nextRetrain.Store(2 * int64(max(m.Count, trainRows)))
	x.changes.Store(int64(m.Count))
	x.connected.Store(int64(m.Count))
	if m.Backed {
		x.backing = parentFile{}
	}
	x.graph.Store(g)
	return x, nil
}

// parentFile is the file of an index that another process changes.
type parentFile struct{}

func (parentFile) Part(Part) []byte { return nil }
func (parentFile) Changing() error {
	return fmt.Errorf("the file of the index is that of the process that this one was forked from: %w", ErrFrozen)
}
func (parentFile) Keep(Part) error         { return ErrFrozen }
func (parentFile) Trained([]float32) error { return ErrFrozen }
func (parentFile) Settle(State) error      { return nil }
func (parentFile) Faulted(cause error) error {
	return fmt.Errorf("the file of the process that this one was forked from: %w", cause)
}
func (parentFile) Enlarge(Config, State) (io.Closer, error) { return nil, ErrFrozen }
func (parentFile) Close() error                             { return nil }

// allocInbound makes room for the counts of inbound links, which are counted when the index changes.
func (m *Memory) allocInbound(g *graph) (counters []uint32, err error) {
	return alloc[uint32](g, m.Capacity, 1, &err), err
}

// FlatFromMemory is IndexFromMemory for flat indexes.
func FlatFromMemory(m *Memory) (*Flat, error) {
	f := &Flat{ids: make(map[uint64]uint32, m.Count), scratch: make([]float32, m.Config.Dim)}
	g, err := f.fromMemory(m)
	if err != nil {
		return nil, err
	}
	if err := f.adopt(g, f.image(g)); err != nil {
		return nil, err
	}
	f.graph.Store(g)
	return f, nil
}

// inherit makes the graph and all of the reader but the pointer to it.
func (r *Reader) fromMemory(m *Memory) (*graph, error) {
	if m.Count < 0 || m.Capacity < m.Count || m.Capacity > maxRows {
		return nil, fmt.Errorf("hnsw: %d elements in room for %d can't be taken over", m.Count, m.Capacity)
	}
	g := &graph{
		m0: 2 * m.Config.M, m: m.Config.M, capacity: m.Capacity, mapped: m.Mapped, checked: m.Checked,
		links0: stretch[uint32](m.Links0), upper: stretch[uint32](m.Upper), upperAt: stretch[uint32](m.UpperAt),
		levels: stretch[uint8](m.Levels),
		labels: stretch[uint64](m.Labels), deleted: stretch[uint32](m.Deleted), ready: stretch[uint32](m.Ready),
	}
	g.refs.Store(1)
	rows := stretch[byte](m.Rows)
	var err error
	if g.rows, err = vector.FromBytes(rows, m.RowType, m.RowCount, m.Config.Dim, m.RowStride); err != nil {
		return nil, fmt.Errorf("rows of the parent process: %w", err)
	}
	if !m.Config.external() {
		g.rowBytes = rows
	}
	if m.Codes.Len > 0 {
		q, err := m.Config.newQuantizer(stretch[float32](m.Quantizer))
		if err != nil {
			return nil, fmt.Errorf("codes of the parent process: %w", err)
		}
		g.coder.Store(&coder{q: q, codes: stretch[byte](m.Codes)})
	}
	r.cfg = m.Config
	r.count.Store(int64(m.Count))
	r.removed.Store(int64(m.Removed))
	r.entry.Store(m.Entry)
	return g, nil
}
