package hnsw

import (
	"errors"
	"fmt"
	"io"
	"math"
	"sync/atomic"
	"unsafe"

	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/vector"
)

// Part is one of the arrays that a Backing gives.
type Part int

// The parts of an index, with room for its capacity. All are zero at first.
const (
	PartLinks0   Part = iota // level 0: 2M links an element, each a uint32 id + 1; a zero ends the list
	PartUpper                // the other levels: lists of M links
	PartUpperAt              // uint32 an element: its first list in PartUpper
	PartLevels               // uint8 an element: its highest level
	PartLabels               // uint64 an element
	PartInbound              // uint32 an element: links of level 0 that lead to it
	PartDeleted              // bitmap, in uint32 words: elements marked deleted
	PartReady                // bitmap: elements inserted completely
	PartUpdating             // bitmap: elements of which an update has begun and not ended
	PartJournal              // the update that is rewriting a row: see journal
	PartRows                 // a row an element
	PartCodes                // a code an element, if there are codes
	PartSums                 // uint32 an element: see graph.sum
	PartUndo                 // see undoLog; it and PartSums are empty in files that were made before there were such parts
	Parts                    // their number
)

// Backing is memory that outlasts the process: a mapped file. Reading and writing it may fault; the method of the index
// that did so returns the fault as an error.
type Backing interface {
	// Part returns the memory of a part. Its length is that of PartBytes.
	Part(Part) []byte
	// Changing is called before the first change after opening or Settle, and only then. If the memory is read-only, the
	// error is ErrFrozen. Any other error means the same as one of Settle.
	Changing() error
	// Keep writes a part to the disk, and waits for that. An error is as one of Settle.
	Keep(Part) error
	// Trained keeps the center of the codes. What PartCodes holds is theirs from now on.
	Trained(center []float32) error
	// Settle writes the parts and the state to the disk, and waits for it. Nothing changes them meanwhile. After an error
	// it is unknown what was written: the index calls Faulted, and Settle never again.
	Settle(State) error
	// Faulted is called when the memory couldn't be read, written or synced. From then on the file counts as one whose
	// changes were interrupted. Faulted returns the cause as an error that names the file. It may be called at any time,
	// and more than once.
	Faulted(cause error) error
	// Enlarge moves what the parts hold to larger ones, those of an index with that configuration and the state, which was
	// settled. From then on Part gives these. The memory of those before stays until before is closed. After an error the
	// parts are those before, unless before isn't nil: then they have moved, and the error is as one of Settle.
	Enlarge(c Config, s State) (before io.Closer, err error)
	// Close frees the memory.
	io.Closer
}

var (
	// ErrFaulted reports a change or a Sync of an index after its file couldn't be read or written. The error names the
	// first failure, too. Searches go on.
	ErrFaulted = errors.New("the index takes no more changes, since what its file holds isn't known: " +
		"close it and open it anew, which repairs it")
	// ErrBacked reports what an index in a file can't do.
	ErrBacked = errors.New("the arrays of the index lie in a file")
)

// Backable returns the configuration of an index of c.Capacity elements that is to be in a Backing, with defaults
// filled in, and the number of lists above level 0 that it needs.
func Backable(c Config) (Config, int, error) {
	c, err := c.backable()
	if err != nil {
		return c, 0, err
	}
	return c, upperLists(&c, 0, c.Capacity), nil
}

// PartBytes returns the length in bytes of every part of an index of c.Capacity elements with upperLists lists above
// level 0.
func PartBytes(c Config, upperLists int) (size [Parts]int64, err error) {
	if c, err = c.backable(); err != nil {
		return size, err
	}
	n, marks := int64(c.Capacity), (int64(c.Capacity)+31)/32*4
	if upperLists < 0 || int64(upperLists) > n*maxLevel {
		return size, fmt.Errorf("hnsw: %d lists above level 0 for %d elements", upperLists, n)
	}
	size = [Parts]int64{
		PartLinks0: n * int64(c.M) * 8, PartUpper: int64(upperLists) * int64(c.M) * 4, PartUpperAt: n * 4, PartLevels: n,
		PartLabels: n * 8, PartInbound: n * 4, PartDeleted: marks, PartReady: marks, PartUpdating: marks,
		PartJournal: journalHeader + int64(c.Dim)*4, PartRows: n * int64(rowStride(c.Dim, c.Storage)), PartSums: n * 4,
		PartUndo: c.undoRoom(),
	}
	if c.Codes.Bits != 0 {
		stride := int64(quant.Stride(c.Dim, c.Codes.Bits))
		if n > math.MaxInt64/2/stride {
			return size, fmt.Errorf("hnsw: codes of %d elements are more than memory can be addressed", n)
		}
		size[PartCodes] = int64(quant.Bytes(c.Dim, c.Codes.Bits, c.Capacity))
	}
	return size, nil
}

// backable is the configuration with defaults, where it suits an index in a file.
func (c Config) backable() (Config, error) {
	c, err := c.withDefaults()
	switch {
	case err != nil:
		return c, err
	case c.external():
		return c, fmt.Errorf("hnsw: an external index can't be kept in a Backing: %w", ErrExternal)
	case c.Codes.Kind == quant.Product:
		return c, errors.New("hnsw: an index in a file can't walk over product quantization's codes: take other codes, or " +
			"none")
	case c.Capacity < 1:
		return c, errors.New("hnsw: an index in a file needs a capacity")
	}
	return c, nil
}

// Backed returns an index over the arrays in b, which a settled index has left there with state s. The state of a new
// index has TopLevel −1 and nothing else. Backed reads only what the state needs. Links are tested when they are read,
// so that none leads out of the arrays. Close of the index closes b; if Backed fails, the caller closes it.
func Backed(c Config, b Backing, s State) (*Index, error) {
	c, err := c.backable()
	if err != nil {
		return nil, err
	}
	g, err := backedGraph(&c, b)
	if err != nil {
		return nil, err
	}
	if err := s.check(&c, g); err != nil {
		return nil, err
	}
	x := &Index{lists: s.Lists, replacing: c.ReplaceDelete, backing: b}
	x.cfg = c
	x.undo.reset(s)
	x.nextRetrain.Store(trainRows)
	x.count.Store(int64(s.Count))
	x.removed.Store(int64(s.Deleted))
	x.entry.Store(none)
	if s.TopLevel >= 0 {
		x.entry.Store(uint64(s.TopLevel)<<32 | uint64(s.Entry))
	}
	if err := x.backCodes(g, s); err != nil {
		return nil, err
	}
	x.changes.Store(int64(s.Count))
	x.connected.Store(int64(s.Count))
	g.owner = b
	x.graph.Store(g)
	return x, nil
}

// backCodes makes the codes in the backing those of the graph.
func (x *Index) backCodes(g *graph, s State) error {
	center := s.Center
	if !s.Coded {
		if x.cfg.keepsRows() {
			return nil
		}
		center = make([]float32, x.cfg.Dim) // until trainOnce knows better
	}
	q, err := x.cfg.newQuantizer(center)
	if err != nil {
		return &ImageError{"Center", 0, err.Error()}
	}
	g.coder.Store(&coder{q: q, codes: x.backing.Part(PartCodes)})
	return nil
}

// backedGraph views b's parts as the arrays of a graph.
func backedGraph(c *Config, b Backing) (*graph, error) {
	upper := b.Part(PartUpper)
	want, err := PartBytes(*c, len(upper)/4/c.M)
	if err != nil {
		return nil, err
	}
	for p, size := range want {
		if got := len(b.Part(Part(p))); int64(got) != size && (Part(p) < PartSums || got != 0) {
			return nil, fmt.Errorf("hnsw: part %d is of %d bytes, not %d", p, got, size)
		}
	}
	g := &graph{m0: 2 * c.M, m: c.M, capacity: c.Capacity, mapped: true, checked: true}
	g.refs.Store(1)
	g.links0, g.upper, g.upperAt = viewOf[uint32](b, PartLinks0), viewOf[uint32](b, PartUpper),
		viewOf[uint32](b, PartUpperAt)
	g.levels, g.labels, g.inbound = b.Part(PartLevels), viewOf[uint64](b, PartLabels), viewOf[uint32](b, PartInbound)
	g.deleted, g.ready, g.updating = viewOf[uint32](b, PartDeleted), viewOf[uint32](b, PartReady),
		viewOf[uint32](b, PartUpdating)
	g.journal = journal(b.Part(PartJournal))
	if len(b.Part(PartSums)) > 0 {
		g.sums = viewOf[uint32](b, PartSums)
	}
	if undo := b.Part(PartUndo); len(undo) > 0 {
		g.undo = undo
	}
	if rows := b.Part(PartRows); c.keepsRows() {
		g.rowBytes = rows
	}
	g.rows, err = vector.FromBytes(b.Part(PartRows), c.Storage, c.Capacity, c.Dim, rowStride(c.Dim, c.Storage))
	return g, err
}

// viewOf views a part, which starts on a page, as elements of T.
func viewOf[T uint32 | uint64](b Backing, p Part) []T {
	part := b.Part(p)
	var zero T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(part))), len(part)/int(unsafe.Sizeof(zero)))
}

// beginChange tells the backing of a change. The caller holds mu.
func (x *Index) beginChange() error {
	if x.backing == nil {
		return nil
	}
	if err := x.broken(); err != nil || x.changed {
		return err
	}
	err := x.backing.Changing()
	switch {
	case errors.Is(err, ErrFrozen):
		return err
	case err != nil:
		return x.fail(err)
	}
	x.changed = true
	return nil
}

// broken returns the error of every change after the backing has failed.
func (x *Index) broken() error {
	if cause := x.fault.Load(); cause != nil {
		return fmt.Errorf("%w: %w", ErrFaulted, *cause)
	}
	return nil
}

// fail makes every change from now on fail with the first error that the backing met. It gives that of this change.
func (x *Index) fail(err error) error {
	err = x.backing.Faulted(err)
	x.fault.CompareAndSwap(nil, &err)
	return err
}

// noteFault makes further changes fail where one has met a fault. It is deferred before mmap.Catch, so that it runs
// after.
func (x *Index) noteFault(err *error) {
	var fault *mmap.FaultError
	if errors.As(*err, &fault) && !errors.Is(*err, ErrFaulted) {
		*err = x.fail(*err)
	}
}

// Sync writes everything to the file of the index and waits for the disk: what was added before is there after a power
// cut too. Changes wait meanwhile. For an index in memory it does nothing.
//
// After an error it is unknown what reached the disk, and another try can't find out, since the system forgets what it
// failed to write. Every later change, Sync and Close then returns ErrFaulted with the first cause; searches go on.
// Opening the file again repairs it: everything is there that was there at the last successful Sync, and of the rest
// what reached the disk.
func (x *Index) Sync() error {
	x.structure.Lock()
	defer x.structure.Unlock()
	g := x.graph.Load()
	if g == nil {
		return ErrClosed
	}
	return x.settle(g)
}

// settle lets the backing keep the state. The caller holds structure for writing.
func (x *Index) settle(g *graph) error {
	if x.backing == nil {
		return nil
	}
	if err := x.broken(); err != nil || !x.changed {
		return err
	}
	s := x.state(g)
	if err := x.backing.Settle(s); err != nil {
		return x.fail(err)
	}
	x.changed = false
	x.undo.reset(s)
	return nil
}

// regrow moves the index to parts for another number of elements. The caller holds structure for writing.
func (x *Index) regrow(capacity int) error {
	old := x.graph.Load()
	if n := x.Len(); capacity < n {
		return fmt.Errorf("hnsw: cannot resize to %d: there are %d elements", capacity, n)
	}
	if err := x.settle(old); err != nil {
		return err
	}
	c := x.cfg
	c.Capacity = capacity
	s := x.state(old)
	before, err := x.backing.Enlarge(c, s)
	if before == nil {
		return fmt.Errorf("hnsw: room for %d elements: %w", capacity, err)
	}
	if err != nil {
		err = x.fail(err)
	}
	g, backErr := backedGraph(&c, x.backing)
	if backErr != nil {
		return errors.Join(err, x.fail(backErr), before.Close()) // not possible
	}
	if from := old.coder.Load(); from != nil {
		g.coder.Store(&coder{q: from.q, codes: x.backing.Part(PartCodes)})
	}
	x.undo.reset(s)
	g.copies = old.copies.grown(capacity)
	old.owner, g.owner = before, x.backing
	x.graph.Store(g)
	old.release()
	return err
}

// keepCenter lets the backing know the center of codes that are complete. The caller holds structure for writing.
func (x *Index) keepCenter(center []float32) error {
	if x.backing == nil {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.beginChange(); err != nil {
		return err
	}
	return x.backing.Trained(center)
}

// roomForCoder makes room for the codes of all elements: where there is a backing, its own. The caller holds structure
// for writing.
func (x *Index) roomForCoder(g *graph, q quantizer) (*coder, error) {
	if x.backing == nil {
		return newCoder(g, q)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return &coder{q: q, codes: x.backing.Part(PartCodes)}, x.beginChange()
}

// clearLists empties the lists of a new element of a backed graph: a process that was killed may have left something
// there.
func (g *graph) clearLists(id uint32) {
	if g.journal == nil {
		return
	}
	for l := range int(g.levels[id]) + 1 {
		list := g.list(id, l)
		for i := range list {
			atomic.StoreUint32(&list[i], 0)
		}
	}
	atomic.StoreUint32(&g.inbound[id], 0)
}
