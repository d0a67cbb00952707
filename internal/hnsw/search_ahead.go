package hnsw

import (
	"unsafe"

	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/rowtype"
)

// Resident reports whether the rows of elements are in memory, those of a mapped file too, so that Score needs no disk.
func (p Probe) Resident(ids []uint32) bool {
	if !p.s.g.rowsMapped() {
		return true
	}
	for _, id := range ids {
		if !mmap.Resident(p.s.g.rows.RowBytes(int(id))) {
			return false
		}
	}
	return true
}

// ReadAhead begins to read the rows of elements, if they lie in a mapped file. Score would wait for one after another.
func (p Probe) ReadAhead(ids []uint32) {
	if !p.s.g.rowsMapped() {
		return
	}
	for _, id := range ids {
		mmap.ReadAhead(p.s.g.rows.RowBytes(int(id)))
	}
}

// rowsMapped reports whether the rows may lie in a mapped file.
func (g *graph) rowsMapped() bool { return g.mapped && g.rows.Type() != rowtype.NoRows && g.attached() }

// ReadAhead reads what walks need of a mapped file: links, labels and codes. It may return before all is there. Walks
// would read it page by page.
func (r *Reader) ReadAhead() error {
	return r.readGraph(func(g *graph, _ int) error {
		if !g.checked || g.pinned {
			return nil
		}
		readAheadOf(g.links0)
		readAheadOf(g.upper)
		readAheadOf(g.upperAt)
		readAheadOf(g.levels)
		readAheadOf(g.labels)
		readAheadOf(g.deleted)
		if c := g.coder.Load(); c != nil {
			readAheadOf(c.codes)
		}
		return nil
	})
}

func readAheadOf[T uint8 | uint32 | uint64](s []T) {
	if len(s) > 0 {
		mmap.ReadAhead(unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0]))))
	}
}
