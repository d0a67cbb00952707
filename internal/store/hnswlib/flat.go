package hnswlib

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/vector"
)

const flatHeaderSize = 24

// Where the fields of a brute-force file's header lie.
const (
	atFlatMax    = 0
	atFlatStride = 8
	atFlatCount  = 16
)

// flatHeader is the start of a brute-force file.
type flatHeader struct{ max, stride, count uint64 }

func (h *flatHeader) dim() int { return int(h.stride-labelSize) / 4 }

func parseFlatHeader(b []byte) flatHeader {
	return flatHeader{
		max:    binary.LittleEndian.Uint64(b[atFlatMax:]),
		stride: binary.LittleEndian.Uint64(b[atFlatStride:]),
		count:  binary.LittleEndian.Uint64(b[atFlatCount:]),
	}
}

func (h *flatHeader) check(r *format.Reader) error {
	switch room := uint64(r.Size() - flatHeaderSize); {
	case h.stride <= labelSize || h.stride%4 != 0 || (h.stride-labelSize)/4 > maxDim:
		return r.Bad(atFlatStride, "stride", "%d bytes are not a vector of 1 … %d float32 and a label", h.stride, maxDim)
	case h.max != room/h.stride || room%h.stride != 0:
		return r.Bad(atFlatMax, "max_elements", "%d of %d bytes, the file has %d bytes for them", h.max, h.stride, room)
	case h.count > h.max || h.count > maxRows:
		return r.Bad(atFlatCount, "count", "%d elements, at most %d are possible", h.count, min(h.max, maxRows))
	}
	return nil
}

// ReadFlat reads a brute-force file. A file that isn't in order gives a *format.Error.
func ReadFlat(ctx context.Context, path string, o Options) (*hnsw.Flat, error) {
	f, size, err := format.OpenFile(path)
	if err != nil {
		return nil, fmt.Errorf("hnswlib brute-force index: %w", err)
	}
	defer f.Close()
	return DecodeFlat(ctx, f, size, path, o)
}

// DecodeFlat reads a brute-force file of size bytes from r; name stands for it in errors. Of o it heeds Dim, Metric,
// Custom, Capacity and FixedCapacity.
func DecodeFlat(ctx context.Context, r io.Reader, size int64, name string, o Options) (*hnsw.Flat, error) {
	if err := format.CheckMachine(); err != nil {
		return nil, err
	}
	in := format.NewReader(ctx, r, name, size)
	b, err := in.Next(flatHeaderSize, "header")
	if err != nil {
		return nil, err
	}
	h := parseFlatHeader(b)
	if err := h.check(in); err != nil {
		return nil, err
	}
	if o.Dim != 0 && o.Dim != h.dim() {
		return nil, wrongDim(in, atFlatStride, "stride", h.dim(), o.Dim)
	}
	c := hnsw.Config{Dim: h.dim(), Metric: o.Metric, Custom: o.Custom, Capacity: o.Capacity,
		FixedCapacity: o.FixedCapacity}
	if o.Capacity <= 0 || uint64(o.Capacity) < h.count {
		c.Capacity = int(min(h.max, maxRows)) // the file has that many rows
	}
	f, err := hnsw.RestoreFlat(c, int(h.count), func(m *hnsw.FlatImage) error { return fillFlat(in, m) })
	var bad *hnsw.ImageError
	if errors.As(err, &bad) {
		at := flatHeaderSize + int64(bad.Index+1)*int64(h.stride) - labelSize
		return nil, in.Bad(at, "label", "%s", bad.Reason)
	}
	return f, err
}

func fillFlat(in *format.Reader, m *hnsw.FlatImage) error {
	size := 4 * m.Config.Dim
	for i := range m.Count {
		at := in.Offset()
		b, err := in.Next(size+labelSize, "row")
		if err != nil {
			return err
		}
		copy(m.Rows.RowBytes(i), b)
		if !floats.Finite(vector.Row[float32](m.Rows, i)) {
			return in.Caused(hnsw.ErrNotFinite, at, "vector", "row %d", i)
		}
		m.Labels[i] = binary.LittleEndian.Uint64(b[size:])
	}
	return nil
}

// WriteFlat writes f as a brute-force file, which appears whole or not at all.
func WriteFlat(ctx context.Context, path string, f *hnsw.Flat) error {
	return atomicfile.Write(path, func(w io.Writer) error { return EncodeFlat(ctx, w, f) })
}

// EncodeFlat writes f to w as a brute-force file. Rows of half precision become float32. hnswlib stores all rows that
// there is room for; those past the content are zero.
func EncodeFlat(ctx context.Context, w io.Writer, f *hnsw.Flat) error {
	if err := format.CheckMachine(); err != nil {
		return err
	}
	return f.WithImage(func(m *hnsw.FlatImage) error {
		out := format.Writer(ctx, w)
		if err := writeFlat(out, m); err != nil {
			return err
		}
		return out.Flush()
	})
}

func writeFlat(w io.Writer, m *hnsw.FlatImage) error {
	room, size := max(m.Config.Capacity, m.Count), 4*m.Config.Dim
	head := make([]byte, 0, flatHeaderSize)
	head = binary.LittleEndian.AppendUint64(head, uint64(room))
	head = binary.LittleEndian.AppendUint64(head, uint64(size+labelSize))
	head = binary.LittleEndian.AppendUint64(head, uint64(m.Count))
	if _, err := w.Write(head); err != nil {
		return err
	}
	b, row := make([]byte, size+labelSize), make([]float32, m.Config.Dim)
	for i := range room {
		clear(b)
		if i < m.Count {
			putRow(b, m.Rows.Decode, i, row)
			binary.LittleEndian.PutUint64(b[size:], m.Labels[i])
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// putRow writes vector i, which read gives, as float32; scratch is as long as the vector.
func putRow(b []byte, read func(i int, dst []float32), i int, scratch []float32) {
	read(i, scratch)
	for j, v := range scratch {
		binary.LittleEndian.PutUint32(b[4*j:], math.Float32bits(v))
	}
}
