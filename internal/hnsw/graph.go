package hnsw

import (
	"fmt"
	"io"
	"math"
	"sync/atomic"
	"unsafe"

	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/vector"
)

// graph is one allocation of an index's arrays: links, levels, labels, marks and rows for up to capacity elements, all
// outside the Go heap. Growing an index makes another; searches that began on the old one end on it. A link is stored
// as id + 1, so that zero ends a list and fresh memory holds empty lists.
//
// Links and marks are read and written atomically. A reader may see a list half rewritten: every id in it is still that
// of an element whose row and lists were complete before the link was stored.
type graph struct {
	m0, m    int // longest list on level 0 and above
	capacity int

	links0  []uint32 // capacity × m0
	upper   []uint32 // lists of m links, one for each level above 0 of each element
	upperAt []uint32 // index of an element's first list in upper
	levels  []uint8  // an element's highest level
	// atomic: replacing a deleted element changes its label; nil: they are the elements' numbers
	labels   []uint64
	shift    uint64                // that is added to each label
	inbound  []uint32              // atomic: links of level 0 that lead to an element; kept while the graph grows
	copies   *copySet              // kept while the graph grows
	deleted  bitmap                // marked deleted
	ready    bitmap                // inserted completely; nil: all are
	packed   packed                // what links0 would hold, of a graph that doesn't change and has none
	rows     vector.Matrix         // capacity rows, or those attached
	rowBytes []byte                // what rows views; nil: they lie elsewhere
	coder    atomic.Pointer[coder] // codes of the rows; nil: none, or not trained yet
	updating bitmap                // elements whose update has begun and not ended; of an index with a Backing
	journal  journal               // likewise
	sums     []uint32              // likewise: of each element's label and content; nil: there are none
	undo     []byte                // likewise: see undoLog

	mapped  bool // arrays or rows lie in files that may change or fail: reading them may fault
	checked bool // links lie in such a file, or did: none is known to lead to an element
	pinned  bool // links, labels and codes are copies of those in such a file

	regions []*mmap.Region
	owner   io.Closer    // of arrays that aren't in regions; may be nil
	base    *graph       // whose arrays these are; nil: they are its own
	refs    atomic.Int64 // the index's own and one for each search under way; the last one frees
}

// newGraph allocates room for capacity elements and upperLists lists above level 0.
func newGraph(c *Config, capacity, upperLists int) (*graph, error) {
	g := &graph{m0: 2 * c.M, m: c.M, capacity: capacity}
	g.refs.Store(1)
	var err error
	stride := rowStride(c.Dim, c.Storage)
	rows := alloc[byte](g, capacity, stride, &err)
	g.links0 = alloc[uint32](g, capacity, g.m0, &err)
	g.upper = alloc[uint32](g, upperLists, g.m, &err)
	g.upperAt = alloc[uint32](g, capacity, 1, &err)
	g.levels = alloc[uint8](g, capacity, 1, &err)
	g.labels = alloc[uint64](g, capacity, 1, &err)
	g.inbound = alloc[uint32](g, capacity, 1, &err)
	g.deleted = alloc[uint32](g, (capacity+31)/32, 1, &err)
	g.ready = alloc[uint32](g, (capacity+31)/32, 1, &err)
	if err == nil {
		g.rowBytes = rows
		g.rows, err = vector.FromBytes(rows, c.Storage, capacity, c.Dim, stride)
	}
	if err != nil {
		g.free()
		return nil, fmt.Errorf("hnsw: room for %d elements: %w", capacity, err)
	}
	return g, nil
}

// rowStride returns the bytes from one stored row to the next: rows of half a cache line and more start on a line where
// that costs under an eighth of the memory, so that a row touches no more lines than it fills.
func rowStride(dim int, t vector.Type) int {
	size := rowtype.Size(t, dim)
	aligned := (size + 63) &^ 63
	if (aligned-size)*8 <= size {
		return aligned
	}
	return size
}

// alloc maps n × width elements of T for g, unless an earlier call failed.
func alloc[T any](g *graph, n, width int, err *error) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	if *err != nil {
		return nil
	}
	if n > math.MaxInt/size/max(width, 1) {
		*err = fmt.Errorf("%d × %d elements of %d bytes are more than memory can be addressed", n, width, size)
		return nil
	}
	var r *mmap.Region
	if r, *err = mmap.Anonymous(n * width * size); *err != nil {
		return nil
	}
	g.regions = append(g.regions, r)
	return mmap.Slice[T](r, 0, n*width)
}

// acquire takes a reference unless the graph is already being freed.
func (g *graph) acquire() bool {
	for {
		n := g.refs.Load()
		if n == 0 {
			return false
		}
		if g.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (g *graph) release() {
	if g.refs.Add(-1) == 0 {
		g.free()
	}
}

func (g *graph) free() {
	for _, r := range g.regions {
		_ = r.Close() // unmapping what mmap gave can't fail
	}
	if g.owner != nil {
		_ = g.owner.Close() // likewise
	}
	if g.base != nil {
		g.base.release()
	}
}

// list returns the element's list of links on level.
func (g *graph) list(id uint32, level int) []uint32 {
	if level == 0 {
		at := int(id) * g.m0
		return g.links0[at : at+g.m0 : at+g.m0]
	}
	at := (int(g.upperAt[id]) + level - 1) * g.m
	return g.upper[at : at+g.m : at+g.m]
}

// label returns the element's label.
func (g *graph) label(id uint32) uint64 {
	if g.labels == nil {
		return g.shift + uint64(id)
	}
	return g.shift + atomic.LoadUint64(&g.labels[id])
}

func (g *graph) setLabel(id uint32, label uint64) { atomic.StoreUint64(&g.labels[id], label) }

// complete reports whether element id is inserted completely.
func (g *graph) complete(id uint32) bool { return g.ready == nil || g.ready.get(id) }

// neighbours appends the links of a list to dst, where they may be wrong those that lead to elements.
func (g *graph) neighbours(list []uint32, dst []uint32) []uint32 {
	from := len(dst)
	dst = neighbours(list, dst)
	if g.checked {
		return dst[:from+len(g.sound(dst[from:]))]
	}
	return dst
}

// neighbours appends the links of a list to dst.
func neighbours(list []uint32, dst []uint32) []uint32 {
	for i := range list {
		n := atomic.LoadUint32(&list[i])
		if n == 0 {
			break
		}
		dst = append(dst, n-1)
	}
	return dst
}

// bitmap is a set of ids whose words are read and written atomically.
type bitmap []uint32

func (b bitmap) get(id uint32) bool { return atomic.LoadUint32(&b[id>>5])>>(id&31)&1 != 0 }
func (b bitmap) set(id uint32)      { atomic.OrUint32(&b[id>>5], 1<<(id&31)) }
func (b bitmap) clear(id uint32)    { atomic.AndUint32(&b[id>>5], ^(uint32(1) << (id & 31))) }
