package hnswlib

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/rowtype"
)

// A .graph of hnswlib-mmap is an index.bin without vectors, under a header of its own. Whose row is whose isn't written
// down: hnswlib-mmap takes the row of an element's place. Its builds of several threads give places by arrival, though,
// and labels by row, so that there labels tell what places don't.

const (
	graphMagic      = 0x47524150
	graphHeaderSize = 76
	atVectorBytes   = 68
)

// graphAt says where the fields of a .graph lie.
var graphAt = places{
	size: graphHeaderSize, maxElements: 4, count: 12, m: 20, maxM: 28, maxM0: 36, construct: 44,
	mult: 52, maxLevel: 60, entry: 64,
}

// graphFields is the start of a .graph as it lies in the file.
type graphFields struct {
	Magic          uint32
	MaxElements    uint64
	Count          uint64
	M              uint64
	MaxM           uint64
	MaxM0          uint64
	EfConstruction uint64
	Mult           float64
	MaxLevel       int32
	Entry          uint32
	VectorBytes    uint64
}

func readGraphHeader(r *format.Reader) (*header, error) {
	b, err := r.Next(graphHeaderSize, "header")
	if err != nil {
		return nil, err
	}
	g := &graphFields{}
	if _, err := binary.Decode(b, binary.LittleEndian, g); err != nil {
		return nil, r.Caused(err, 0, "header", "can't be decoded")
	}
	if g.Magic != graphMagic {
		return nil, r.Bad(0, "magic", "%#x, not %#x: not a .graph", g.Magic, graphMagic)
	}
	h := &header{at: &graphAt, dim: int(g.VectorBytes / 4)}
	h.fields = fields{
		MaxElements: g.MaxElements, Count: g.Count, MaxLevel: g.MaxLevel, Entry: g.Entry,
		MaxM: g.MaxM, MaxM0: g.MaxM0, M: g.M, Mult: g.Mult, EfConstruction: g.EfConstruction,
		DataOffset: listHead + 4*g.MaxM0, LabelOffset: listHead + 4*g.MaxM0, Stride: listHead + 4*g.MaxM0 + labelSize,
	}
	return h, h.check(r, g.checkVectors)
}

func (g *graphFields) checkVectors(r *format.Reader) error {
	if g.VectorBytes == 0 || g.VectorBytes%4 != 0 || g.VectorBytes/4 > maxDim {
		return r.Bad(atVectorBytes, "vector bytes", "%d are not those of 1 … %d float32", g.VectorBytes, maxDim)
	}
	return nil
}

// graphHeaderOf is the header of the .graph that m is written as.
func graphHeaderOf(m *hnsw.Image) header {
	h := headerOf(m)
	h.at = &graphAt
	h.LabelOffset = h.DataOffset
	h.Stride = h.LabelOffset + labelSize
	return h
}

func (h *header) encodeGraph() ([]byte, error) {
	return binary.Append(make([]byte, 0, graphHeaderSize), binary.LittleEndian, &graphFields{
		Magic: graphMagic, MaxElements: h.MaxElements, Count: h.Count, M: h.M, MaxM: h.MaxM, MaxM0: h.MaxM0,
		EfConstruction: h.EfConstruction, Mult: h.Mult, MaxLevel: h.MaxLevel, Entry: h.Entry, VectorBytes: 4 * uint64(h.dim),
	})
}

// GraphOptions says what a .graph doesn't hold. FixedCapacity and Capacity have a meaning for ReadGraph alone,
// ReplaceDelete and Custom have none.
type GraphOptions struct {
	Options
	// FirstLabel is the label that row 0 has where labels are the numbers of rows, counted from there.
	FirstLabel uint64
	// ByPlace takes the row of an element's place, whatever the labels are.
	ByPlace bool
}

// ReadGraph reads a .graph as an external index, which can grow. Element i's vector is row i of those that are
// attached: where labels are a permutation of 0 … n − 1 (or, from FirstLabel on, of n numbers) the elements are
// renumbered by label, so that the row of label i is row i; else an element's place in the file is the number of its
// row. A file that isn't in order gives a *format.Error.
func ReadGraph(ctx context.Context, path string, o GraphOptions) (x *hnsw.Index, err error) {
	err = withGraph(path, func(f io.Reader, size int64) error {
		x, err = DecodeGraph(ctx, f, size, path, o)
		return err
	})
	return x, err
}

// ReadFrozenGraph is ReadGraph for an index that is only searched: it takes less memory.
func ReadFrozenGraph(ctx context.Context, path string, o GraphOptions) (x *hnsw.Frozen, err error) {
	err = withGraph(path, func(f io.Reader, size int64) error {
		return decodeGraph(ctx, f, size, path, o, func(c hnsw.Config, count, lists int, fill func(*hnsw.Image) error) error {
			x, err = hnsw.RestoreFrozen(c, count, lists, fill)
			return err
		})
	})
	return x, err
}

func withGraph(path string, read func(r io.Reader, size int64) error) error {
	f, size, err := format.OpenFile(path)
	if err != nil {
		return fmt.Errorf("hnswlib graph: %w", err)
	}
	defer f.Close()
	return read(f, size)
}

// DecodeGraph is ReadGraph of size bytes from r; name stands for it in errors.
func DecodeGraph(ctx context.Context, r io.Reader, size int64, name string, o GraphOptions) (x *hnsw.Index, err error) {
	err = decodeGraph(ctx, r, size, name, o, func(c hnsw.Config, count, lists int, fill func(*hnsw.Image) error) error {
		x, err = hnsw.Restore(c, count, lists, fill)
		return err
	})
	return x, err
}

type restore func(c hnsw.Config, count, lists int, fill func(*hnsw.Image) error) error

func decodeGraph(ctx context.Context, r io.Reader, size int64, name string, o GraphOptions, restore restore) error {
	if err := format.CheckMachine(); err != nil {
		return err
	}
	d := &decoder{r: format.NewReader(ctx, r, name, size), storage: rowtype.External}
	var err error
	if d.h, err = readGraphHeader(d.r); err != nil {
		return err
	}
	if o.Dim != 0 && o.Dim != d.h.dim {
		return wrongDim(d.r, atVectorBytes, "vector bytes", d.h.dim, o.Dim)
	}
	o.ReplaceDelete, o.Custom, o.CustomName = false, nil, ""
	c, err := d.config(&o.Options)
	if err != nil {
		return err
	}
	lists, _ := d.h.upperLists(size)
	return d.locate(restore(c, int(d.h.Count), int(lists), func(m *hnsw.Image) error { return d.fillGraph(m, &o) }))
}

// fillGraph is fill, after which element i's row is row i.
func (d *decoder) fillGraph(m *hnsw.Image, o *GraphOptions) error {
	if err := d.fill(m); err != nil || o.ByPlace || slices.IsSorted(m.Labels) {
		return err
	}
	for _, first := range []uint64{0, o.FirstLabel} {
		order := byLabel(m.Labels, first)
		if order == nil {
			continue
		}
		if err := m.Check(); err != nil {
			return err // while elements are numbered as in the file
		}
		m.Renumber(order)
		return nil
	}
	return nil
}

// byLabel gives the elements in the order of their labels where these are a permutation of n numbers from first on,
// else nil.
func byLabel(labels []uint64, first uint64) []uint32 {
	order := make([]uint32, len(labels))
	seen := make([]bool, len(labels))
	for i, l := range labels {
		at := l - first
		if at >= uint64(len(labels)) || seen[at] {
			return nil
		}
		seen[at], order[at] = true, uint32(i)
	}
	return order
}

// WriteGraph writes x as a .graph, which appears whole or not at all. The vectors that belong to it, for whoever reads
// it, are row for row: of an external index the rows as they are attached; of others the vectors by label where
// labels are a permutation of 0 … n − 1, else in the order of the elements, which is that in which they were added
// until Reorder.
func WriteGraph(ctx context.Context, path string, x Source) error {
	return atomicfile.Write(path, func(w io.Writer) error { return EncodeGraph(ctx, w, x) })
}

// EncodeGraph is WriteGraph to w.
func EncodeGraph(ctx context.Context, w io.Writer, x Source) error {
	if err := format.CheckMachine(); err != nil {
		return err
	}
	return x.WithImage(func(m *hnsw.Image) error {
		b := format.Writer(ctx, w)
		e := &encoder{w: b, m: m, h: graphHeaderOf(m)}
		e.orderRows()
		head, err := e.h.encodeGraph()
		if err != nil {
			return fmt.Errorf("hnswlib graph header: %w", err)
		}
		return errors.Join(e.all(head), b.Flush())
	})
}

// orderRows lets the elements come in the order of their rows.
func (e *encoder) orderRows() {
	if e.m.Config.Storage == rowtype.External || slices.IsSorted(e.m.Labels) {
		return
	}
	if e.order = byLabel(e.m.Labels, 0); e.order == nil {
		return
	}
	e.place = make([]uint32, len(e.order))
	for i, id := range e.order {
		e.place[id] = uint32(i)
	}
	if e.m.Count > 0 {
		e.h.Entry = e.place[e.m.Entry]
	}
}

// GraphSize is the number of bytes that EncodeGraph writes.
func GraphSize(x Source) (size int64, err error) {
	err = x.WithImage(func(m *hnsw.Image) error {
		h := graphHeaderOf(m)
		size = h.fileSize(m)
		return nil
	})
	return size, err
}
