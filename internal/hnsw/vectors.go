package hnsw

import (
	"context"
	"slices"
	"unsafe"

	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/vector"
)

// VectorReader writes the vector of an element to dst, which holds Dim values. It is called with rising ids.
type VectorReader func(id uint32, dst []float32) error

// EachVector calls fn with the vectors that a search may find, decoded to float32, and their labels, block vectors at a
// time; both are valid until fn returns. If wanted isn't nil, it passes only those with one of these labels, which are
// sorted. Vectors come from read or, if it is nil, from the rows of the index; if it keeps none, they are decoded from
// codes. The index must not change meanwhile.
func (r *Reader) EachVector(ctx context.Context, wanted []uint64, block int, read VectorReader,
	fn func(labels []uint64, rows vector.Matrix) error) error {
	return r.readGraph(func(g *graph, n int) (err error) {
		if read == nil {
			if read, err = r.vectorReader(g); err != nil {
				return err
			}
		}
		return g.eachVector(ctx, wanted, n, r.cfg.Dim, block, read, fn)
	})
}

// eachVector does what EachVector does for the first n elements.
func (g *graph) eachVector(ctx context.Context, wanted []uint64, n, dim, block int, read VectorReader,
	fn func(labels []uint64, rows vector.Matrix) error) error {
	data, labels := make([]float32, 0, block*dim), make([]uint64, 0, block)
	flush := func() error {
		rows, err := vector.Of(data, dim)
		if err == nil {
			err = fn(labels, rows)
		}
		data, labels = data[:0], labels[:0]
		return err
	}
	for id := range uint32(n) {
		if wanted == nil && id%aheadRows == 0 {
			g.readAhead(id, min(id+aheadRows, uint32(n)))
		}
		if !g.allowed(id, nil) {
			continue
		}
		if wanted != nil {
			if _, ok := slices.BinarySearch(wanted, g.label(id)); !ok {
				continue
			}
		}
		data = data[:len(data)+dim]
		if err := read(id, data[len(data)-dim:]); err != nil {
			return err
		}
		if labels = append(labels, g.label(id)); len(labels) < block {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := flush(); err != nil {
			return err
		}
	}
	return flush()
}

// aheadRows is the number of rows of a mapped file that are read at a time where all of them are read in order.
const aheadRows = 256

// readAhead begins to read rows from … to − 1 into memory, if they lie in a mapped file: all of them will be used soon.
func (g *graph) readAhead(from, to uint32) {
	if !g.rowsMapped() || from >= to {
		return
	}
	first, last := g.rows.RowBytes(int(from)), g.rows.RowBytes(int(to-1))
	bytes := int(uintptr(unsafe.Pointer(&last[0]))-uintptr(unsafe.Pointer(&first[0]))) + len(last)
	mmap.ReadAhead(unsafe.Slice(&first[0], bytes))
}

// Findable returns the labels that a search may find, in the order in which EachVector gives their vectors.
func (r *Reader) Findable() (labels []uint64, err error) {
	err = r.readGraph(func(g *graph, n int) error {
		labels = make([]uint64, 0, n)
		for id := range uint32(n) {
			if g.allowed(id, nil) {
				labels = append(labels, g.label(id))
			}
		}
		return nil
	})
	return labels, err
}

// vectorReader reads what the graph holds, for one goroutine.
func (r *Reader) vectorReader(g *graph) (VectorReader, error) {
	if !r.cfg.keepsRows() {
		c := g.coder.Load()
		e := c.q.encoder()
		return func(id uint32, dst []float32) error {
			e.Decode(dst, c.row(id))
			return nil
		}, nil
	}
	if r.cfg.external() && !g.attached() {
		return nil, ErrNoRows
	}
	return func(id uint32, dst []float32) error {
		g.rows.Decode(int(id), dst)
		return nil
	}, nil
}
