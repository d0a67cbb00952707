package hnswlib

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/shale-search/shale/hnsw"
	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/format"
)

// Source is what can be written: *hnsw.Index and *hnsw.Frozen.
type Source interface {
	WithImage(func(*hnsw.Image) error) error
}

// Write writes x as an index.bin, which appears whole or not at all.
func Write(ctx context.Context, path string, x Source) error {
	return atomicfile.Write(path, func(w io.Writer) error { return Encode(ctx, w, x) })
}

// Encode writes x to w as an index.bin. Rows of any type become float32, and so does what codes stand for where an index
// keeps no rows.
func Encode(ctx context.Context, w io.Writer, x Source) error {
	if err := format.CheckMachine(); err != nil {
		return err
	}
	return x.WithImage(func(m *hnsw.Image) error {
		b := format.Writer(ctx, w)
		e := &encoder{w: b, m: m, h: headerOf(m)}
		if err := e.all(); err != nil {
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
		size = headerSize + int64(m.Count)*int64(h.Stride+4)
		for _, level := range m.Levels {
			size += int64(level) * h.listSize()
		}
		return nil
	})
	return size, err
}

// encoder writes one index.bin.
type encoder struct {
	w *bufio.Writer
	m *hnsw.Image
	h header

	vectors func(id int, dst []float32)
}

func (e *encoder) all() error {
	b, err := e.h.encode()
	if err != nil {
		return fmt.Errorf("hnswlib header: %w", err)
	}
	if _, err := e.w.Write(b); err != nil {
		return err
	}
	if e.vectors, err = e.m.Vectors(); err != nil {
		return err
	}
	element := make([]byte, e.h.Stride)
	row := make([]float32, e.m.Config.Dim)
	for id := range e.m.Count {
		e.element(element, row, id)
		if _, err := e.w.Write(element); err != nil {
			return err
		}
	}
	list := make([]byte, e.h.listSize())
	for id := range e.m.Count {
		if err := e.upper(list, id); err != nil {
			return err
		}
	}
	return nil
}

// element fills b with the element's level-0 list, mark, vector and label.
func (e *encoder) element(b []byte, row []float32, id int) {
	m0 := int(e.h.MaxM0)
	putLinks(b, e.m.Links0[id*m0:(id+1)*m0])
	b[2] = byte(e.m.Deleted[id/32] >> (id % 32) & 1)
	putRow(b[e.h.DataOffset:e.h.LabelOffset], e.vectors, id, row)
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
		putLinks(b, e.m.Upper[at:at+m])
		if _, err := e.w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// putLinks writes a list of ids + 1 as hnswlib does: their number, two zero bytes, the ids, zeros.
func putLinks(b []byte, links []uint32) {
	clear(b[:listHead+4*len(links)])
	n := 0
	for n < len(links) && links[n] != 0 {
		binary.LittleEndian.PutUint32(b[listHead+4*n:], links[n]-1)
		n++
	}
	binary.LittleEndian.PutUint16(b, uint16(n))
}
