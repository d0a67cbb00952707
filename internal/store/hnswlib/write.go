package hnswlib

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/hnsw"
)

// Source is what can be written: *hnsw.Index and *hnsw.Frozen.
type Source interface {
	WithImage(func(*hnsw.Image) error) error
}

// Write writes x as an index.bin, which appears whole or not at all.
func Write(ctx context.Context, path string, x Source) error {
	return atomicfile.Write(path, func(w io.Writer) error { return Encode(ctx, w, x) })
}

// Encode writes x to w as an index.bin. Rows of any type become float32, and so does what codes stand for where an
// index keeps no rows.
func Encode(ctx context.Context, w io.Writer, x Source) error {
	if err := format.CheckMachine(); err != nil {
		return err
	}
	return x.WithImage(func(m *hnsw.Image) error {
		b := format.Writer(ctx, w)
		vectors, err := m.Vectors()
		if err != nil {
			return err
		}
		e := &encoder{w: b, m: m, h: headerOf(m), vectors: vectors}
		head, err := e.h.encode()
		if err != nil {
			return fmt.Errorf("hnswlib header: %w", err)
		}
		if err := e.all(head); err != nil {
			return err
		}
		return b.Flush()
	})
}

// Size is the number of bytes that Encode writes.
func Size(x Source) (int64, error) {
	var size int64
	err := x.WithImage(func(m *hnsw.Image) error {
		h := headerOf(m)
		size = h.fileSize(m)
		return nil
	})
	return size, err
}

// fileSize is the bytes of the file that m is written as.
func (h *header) fileSize(m *hnsw.Image) int64 {
	size := h.at.size + int64(m.Count)*int64(h.Stride+4)
	for _, level := range m.Levels {
		size += int64(level) * h.listSize()
	}
	return size
}

// encoder writes one index.bin or .graph.
type encoder struct {
	w *bufio.Writer
	m *hnsw.Image
	h header

	vectors func(id int, dst []float32) // nil: the file holds none
	order   []uint32                    // the elements in the order of the file; nil: that of their numbers
	place   []uint32                    // and the place of each element in it
}

// all writes the header head and all that follows it.
func (e *encoder) all(head []byte) error {
	if _, err := e.w.Write(head); err != nil {
		return err
	}
	element := make([]byte, e.h.Stride)
	row := make([]float32, e.m.Config.Dim)
	for i := range e.m.Count {
		e.element(element, row, e.at(i))
		if _, err := e.w.Write(element); err != nil {
			return err
		}
	}
	list := make([]byte, e.h.listSize())
	for i := range e.m.Count {
		if err := e.upper(list, e.at(i)); err != nil {
			return err
		}
	}
	return nil
}

// at is the element that comes i-th.
func (e *encoder) at(i int) int {
	if e.order == nil {
		return i
	}
	return int(e.order[i])
}

// element fills b with the element's level-0 list, mark, vector, if any, and label.
func (e *encoder) element(b []byte, row []float32, id int) {
	m0 := int(e.h.MaxM0)
	e.putLinks(b, e.m.Links0[id*m0:(id+1)*m0])
	b[2] = byte(e.m.Deleted[id/32] >> (id % 32) & 1)
	if e.vectors != nil {
		putRow(b[e.h.DataOffset:e.h.LabelOffset], e.vectors, id, row)
	}
	binary.LittleEndian.PutUint64(b[e.h.LabelOffset:], e.m.Labels[id])
}

// upper writes the element's lists above level 0.
func (e *encoder) upper(b []byte, id int) error {
	level := int(e.m.Levels[id])
	size := binary.LittleEndian.AppendUint32(nil, uint32(int64(level)*e.h.listSize()))
	if _, err := e.w.Write(size); err != nil {
		return err
	}
	m := e.m.Config.M
	for l := range level {
		at := (int(e.m.UpperAt[id]) + l) * m
		e.putLinks(b, e.m.Upper[at:at+m])
		if _, err := e.w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// putLinks writes a list of ids + 1 as hnswlib does: their number, two zero bytes, the ids, zeros.
func (e *encoder) putLinks(b []byte, links []uint32) {
	clear(b[:listHead+4*len(links)])
	n := 0
	for n < len(links) && links[n] != 0 {
		id := links[n] - 1
		if e.place != nil {
			id = e.place[id]
		}
		binary.LittleEndian.PutUint32(b[listHead+4*n:], id)
		n++
	}
	binary.LittleEndian.PutUint16(b, uint16(n))
}
