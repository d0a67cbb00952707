package hnsw

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/vector"
)

const (
	nodeLocks  = 1 << 14
	labelLocks = 1 << 12
)

// Index is a graph that grows. Searches, additions, updates and deletions may run concurrently.
type Index struct {
	Reader

	// structure is held for reading by every change of the graph and for writing while the arrays are replaced.
	structure sync.RWMutex
	// labelLock keeps two changes of one label apart, nodeLock two changes of one element's lists.
	labelLock [labelLocks]sync.Mutex
	nodeLock  [nodeLocks]sync.Mutex
	attaching sync.Mutex // held by AddAttached
	// rowLock lets one row be rewritten at a time, for the epoch's sake.
	rowLock sync.Mutex

	changes     atomic.Int64 // rows written
	connected   atomic.Int64 // number of changes after which links led to all elements
	nextRetrain atomic.Int64 // number of changes at which the codes are looked at again

	groups groups // of equal rows

	mu        sync.Mutex        // guards what follows
	ids       map[uint64]uint32 // element of each label; nil: see buildLabelMap
	free      freeList
	next      LabelCounter
	lists     int // lists above level 0 in use
	replacing bool

	backing Backing               // of the arrays; nil: memory
	changed bool                  // whether the backing knows of changes; guarded by mu or structure held for writing
	undo    undoLog               // guarded likewise
	fault   atomic.Pointer[error] // what the backing failed with first, after which nothing is known of it
}

// New returns an empty index.
func New(c Config) (*Index, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	g, err := newGraph(&c, c.Capacity, upperRoom(&c, 0, c.Capacity))
	if err != nil {
		return nil, err
	}
	x := &Index{ids: make(map[uint64]uint32)}
	g.copies = newCopySet(g.capacity)
	x.cfg, x.replacing = c, c.ReplaceDelete
	x.nextRetrain.Store(trainRows)
	x.entry.Store(none)
	x.noCopies.Store(true)
	if err := x.prepareCodes(g); err != nil {
		g.release()
		return nil, err
	}
	x.graph.Store(g)
	return x, nil
}

// Close frees the index's memory once the searches under way have ended. Later calls return ErrClosed. An index in a
// file is synced first; if that fails, or a Sync has failed before, Close returns the error and frees the memory all
// the same. Opening the file again repairs it.
func (x *Index) Close() error {
	x.structure.Lock()
	defer x.structure.Unlock()
	g := x.graph.Swap(nil)
	if g == nil {
		return nil
	}
	err := x.settle(g)
	g.release()
	return err
}

// Capacity returns the number of elements that the index has room for.
func (x *Index) Capacity() int {
	x.structure.RLock()
	defer x.structure.RUnlock()
	if g := x.graph.Load(); g != nil {
		return g.capacity
	}
	return 0
}

// Resize makes room for capacity elements, which must be at least the number there are. An index in a file is copied to
// a new file that takes its place, so the disk needs room for both.
func (x *Index) Resize(capacity int) error {
	x.structure.Lock()
	defer x.structure.Unlock()
	if x.backing != nil && x.graph.Load() != nil {
		return x.regrow(capacity)
	}
	return x.resize(capacity, x.lists)
}

// grow makes room for one more element at least.
func (x *Index) grow() error {
	x.structure.Lock()
	defer x.structure.Unlock()
	g := x.graph.Load()
	if g == nil {
		return ErrClosed
	}
	if x.Len() < g.capacity {
		return nil // another goroutine was faster
	}
	if x.backing == nil {
		return x.enlarge(x.lists)
	}
	capacity, err := x.largerCapacity()
	if err != nil {
		return err
	}
	if err := x.regrow(capacity); err != nil {
		return fmt.Errorf("%w (%d), and it can't grow: %w", ErrFull, g.capacity, err)
	}
	return nil
}

// id is the element that carries label.
func (x *Index) id(g *graph, label uint64) (uint32, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.buildLabelMap(g)
	id, ok := x.ids[label]
	return id, ok
}

// Vector writes the stored vector of label to dst, which holds Dim values. The vector is normalised if the metric is
// cosine. If the index keeps no rows, it is decoded from its code. Vector returns ErrLabel for labels that are unknown
// or deleted.
func (x *Index) Vector(label uint64, dst []float32) (err error) {
	if x.backing != nil {
		defer mmap.Catch(mmap.Guard(), &err)
	}
	if len(dst) != x.cfg.Dim {
		return fmt.Errorf("%w: room for %d values, the index has %d", vector.ErrDim, len(dst), x.cfg.Dim)
	}
	return x.withLabel(label, func(g *graph) error {
		id, ok := x.id(g, label)
		if !ok || g.deleted.get(id) || !g.ready.get(id) {
			return fmt.Errorf("%w: %d", ErrLabel, label)
		}
		if x.cfg.external() && !g.attached() {
			return ErrNoRows
		}
		if x.cfg.keepsRows() {
			g.rows.Decode(int(id), dst)
			return nil
		}
		c := g.coder.Load()
		c.q.encoder().Decode(dst, c.row(id))
		return nil
	})
}

func (x *Index) lockLabel(label uint64) *sync.Mutex {
	lock := &x.labelLock[label*0x9e3779b97f4a7c15>>(64-12)]
	lock.Lock()
	return lock
}

func (x *Index) lockNode(id uint32) *sync.Mutex {
	lock := &x.nodeLock[id%nodeLocks]
	lock.Lock()
	return lock
}
