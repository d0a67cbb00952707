// Package hnswlib reads and writes the files of hnswlib, index.bin and the brute-force index, and those that
// hnswlib-mmap adds: the .graph and what lies beside it in a directory of shards.
package hnswlib

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/vector"
)

// Options says what the files don't hold. The zero value takes L2, the file's dimension and its capacity.
type Options struct {
	Dim        int // expected values a vector; 0: whatever the file has
	Metric     vector.Metric
	Custom     score.DistanceFunc
	CustomName string
	Seed       uint64 // of the level generator, for elements added later

	Capacity      int  // rows to make room for; below the file's count, the file's own
	FixedCapacity bool // refuse more rows than that, instead of growing
	ReplaceDelete bool // allow AddOptions.ReplaceDeleted

	Codes hnsw.Codes // made beside the rows, for walks to read; default none
}

// Read reads an index.bin. A file that isn't in order gives a *format.Error.
func Read(ctx context.Context, path string, o Options) (*hnsw.Index, error) {
	f, size, err := format.OpenFile(path)
	if err != nil {
		return nil, fmt.Errorf("hnswlib index: %w", err)
	}
	defer f.Close()
	return Decode(ctx, f, size, path, o)
}

// Decode reads an index.bin of size bytes from r; name stands for it in errors.
func Decode(ctx context.Context, r io.Reader, size int64, name string, o Options) (*hnsw.Index, error) {
	return (&decoder{r: format.NewReader(ctx, r, name, size)}).index(&o)
}

func (d *decoder) index(o *Options) (*hnsw.Index, error) {
	if err := format.CheckMachine(); err != nil {
		return nil, err
	}
	var err error
	if d.h, err = readHeader(d.r); err != nil {
		return nil, err
	}
	if o.Dim != 0 && o.Dim != d.h.dim {
		return nil, wrongDim(d.r, atLabelOffset, "label_offset", d.h.dim, o.Dim)
	}
	c, err := d.config(o)
	if err != nil {
		return nil, err
	}
	lists, _ := d.h.upperLists(d.r.Size())
	x, err := hnsw.Restore(c, int(d.h.Count), int(lists), d.fill)
	if err != nil {
		return nil, d.locate(err)
	}
	return x, nil
}

func wrongDim(r *format.Reader, at int64, field string, has, want int) error {
	return r.Caused(vector.ErrDim, at, field, "the file's vectors have %d values, %d are expected", has, want)
}

// decoder reads one index.bin or .graph.
type decoder struct {
	r      *format.Reader
	h      *header
	levels []uint8 // kept for locate

	storage vector.Type // External where the file is a .graph, or its rows are read where they lie
}

func (d *decoder) config(o *Options) (hnsw.Config, error) {
	c := hnsw.Config{
		Dim: d.h.dim, Metric: o.Metric, Custom: o.Custom, CustomName: o.CustomName,
		M: int(d.h.M), BaseLinks: int(d.h.M), Storage: d.storage,
		EfConstruction: int(d.h.EfConstruction), Seed: o.Seed, Capacity: o.Capacity, FixedCapacity: o.FixedCapacity,
		ReplaceDelete: o.ReplaceDelete,
		Codes:         o.Codes,
	}
	if uint64(max(o.Capacity, 0)) >= d.h.Count && o.Capacity > 0 {
		return c, nil
	}
	var ok bool
	if c.Capacity, ok = format.Room(d.h.MaxElements, int(d.h.Count), o.FixedCapacity); !ok {
		return c, d.r.Bad(d.h.at.maxElements, "max_elements", "%d for %d elements is not credible: give the capacity",
			d.h.MaxElements, d.h.Count)
	}
	return c, nil
}

// fill reads all that follows the header.
func (d *decoder) fill(m *hnsw.Image) error {
	if m.Count > 0 {
		m.TopLevel, m.Entry = int(d.h.MaxLevel), d.h.Entry
	}
	for id := range m.Count {
		if err := d.element(m, id); err != nil {
			return err
		}
	}
	d.levels = make([]uint8, m.Count)
	lists := 0
	for id := range m.Count {
		if err := d.upper(m, id, lists); err != nil {
			return err
		}
		lists += int(d.levels[id])
	}
	if lists != m.UpperLists() {
		return d.r.Bad(d.r.Offset(), "end", "%d bytes follow the last element's lists", d.r.Size()-d.r.Offset())
	}
	return nil
}

// element reads an element's level-0 list, mark, label and vector, if the file has one.
func (d *decoder) element(m *hnsw.Image, id int) error {
	at := d.r.Offset()
	b, err := d.r.Next(int(d.h.Stride), "element")
	if err != nil {
		return err
	}
	if b[2] > 1 || b[3] != 0 {
		return d.r.Bad(at+2, "flags", "%#x and %#x, of which only the lowest bit has a meaning", b[2], b[3])
	}
	if b[2] == 1 {
		m.Deleted[id/32] |= 1 << (id % 32)
	}
	m0 := int(d.h.MaxM0)
	if err := d.links(b, at, m.Links0[id*m0:(id+1)*m0]); err != nil {
		return err
	}
	m.Labels[id] = binary.LittleEndian.Uint64(b[d.h.LabelOffset:])
	if d.h.DataOffset == d.h.LabelOffset {
		return nil
	}
	if d.storage == rowtype.External {
		return d.checkFinite(b[d.h.DataOffset:d.h.LabelOffset], at, id)
	}
	copy(m.Rows.RowBytes(id), b[d.h.DataOffset:d.h.LabelOffset])
	if !floats.Finite(vector.Row[float32](m.Rows, id)) {
		return d.r.Caused(hnsw.ErrNotFinite, at+int64(d.h.DataOffset), "vector", "element %d", id)
	}
	return nil
}

// upper reads the element's lists above level 0, which go to m's lists from first on.
func (d *decoder) upper(m *hnsw.Image, id, first int) error {
	at := d.r.Offset()
	b, err := d.r.Next(4, "length of the upper lists")
	if err != nil {
		return err
	}
	size, list := int64(binary.LittleEndian.Uint32(b)), d.h.listSize()
	level := size / list
	if size%list != 0 || level > int64(d.h.MaxLevel) || level > int64(m.UpperLists()-first) {
		return d.r.Bad(at, "length of the upper lists",
			"%d bytes are not lists of %d bytes for at most %d levels within the file", size, list, d.h.MaxLevel)
	}
	d.levels[id], m.Levels[id], m.UpperAt[id] = uint8(level), uint8(level), uint32(first)
	for l := first; l < first+int(level); l++ {
		at := d.r.Offset()
		b, err := d.r.Next(int(list), "upper list")
		if err != nil {
			return err
		}
		if b[2] != 0 || b[3] != 0 {
			return d.r.Bad(at+2, "upper list", "%#x and %#x after the number of links, not 0", b[2], b[3])
		}
		if err := d.links(b, at, m.Upper[l*m.Config.M:(l+1)*m.Config.M]); err != nil {
			return err
		}
	}
	return nil
}

// links turns the list b, which lies at byte at, into one of ids + 1 that ends with zero.
func (d *decoder) links(b []byte, at int64, dst []uint32) error {
	n := int(binary.LittleEndian.Uint16(b))
	if n > len(dst) {
		return d.r.Bad(at, "number of links", "%d, at most %d are possible", n, len(dst))
	}
	for i := range n {
		id := binary.LittleEndian.Uint32(b[listHead+4*i:])
		if uint64(id) >= d.h.Count {
			return d.r.Bad(at+listHead+4*int64(i), "link", "to element %d of %d", id, d.h.Count)
		}
		dst[i] = id + 1
	}
	return nil
}

// locate turns what Restore found wrong into an error that names the place in the file.
func (d *decoder) locate(err error) error {
	var e *hnsw.ImageError
	if !errors.As(err, &e) {
		return err
	}
	stride, m0, m := int64(d.h.Stride), int(d.h.MaxM0), int(d.h.M)
	switch e.Field {
	case "TopLevel":
		return d.r.Bad(d.h.at.maxLevel, "max_level", "%s", e.Reason)
	case "Entry":
		return d.r.Bad(d.h.at.entry, "entry point", "%s", e.Reason)
	case "Links0":
		at := d.h.at.size + int64(e.Index/m0)*stride + listHead + 4*int64(e.Index%m0)
		return d.r.Bad(at, "link", "%s", e.Reason)
	case "Labels":
		return d.r.Bad(d.h.at.size+int64(e.Index)*stride+int64(d.h.LabelOffset), "label", "%s", e.Reason)
	case "Levels":
		at, _ := d.upperOffset(func(id, _ int) bool { return id == e.Index })
		return d.r.Bad(at, "length of the upper lists", "%s", e.Reason)
	case "Upper":
		list := e.Index / m
		at, first := d.upperOffset(func(id, first int) bool { return list < first+int(d.levels[id]) })
		at += 4 + int64(list-first)*d.h.listSize() + listHead + 4*int64(e.Index%m)
		return d.r.Bad(at, "link", "%s", e.Reason)
	}
	return d.r.Caused(e, -1, e.Field, "inconsistent")
}

// upperOffset is the place of the upper lists of the first element for which found is true, and their first list.
func (d *decoder) upperOffset(found func(id, first int) bool) (at int64, first int) {
	at = d.h.at.size + int64(d.h.Count)*int64(d.h.Stride)
	for id, level := range d.levels {
		if found(id, first) {
			break
		}
		at += 4 + int64(level)*d.h.listSize()
		first += int(level)
	}
	return at, first
}
