package hnswlib

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/shale-search/shale/hnsw"
	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/vector"
)

const flatHeaderSize = 24

// Where the fields of a brute-force file's header lie.
const (
	atFlatMax    = 0
	atFlatStride = 8
	atFlatCount  = 16
)

// FlatContent is what a brute-force file holds.
type FlatContent struct {
	Capacity uint64        // rows that the index was made for
	Labels   []uint64      // one a row
	Rows     vector.Matrix // float32, normalised if the space is cosine
}

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

// ReadFlat reads a brute-force file. A dim other than 0 must be the file's.
func ReadFlat(ctx context.Context, path string, dim int) (*FlatContent, error) {
	f, size, err := format.OpenFile(path)
	if err != nil {
		return nil, fmt.Errorf("hnswlib brute-force index: %w", err)
	}
	defer f.Close()
	return DecodeFlat(ctx, f, size, path, dim)
}

// DecodeFlat reads a brute-force file of size bytes from r; name stands for it in errors.
func DecodeFlat(ctx context.Context, r io.Reader, size int64, name string, dim int) (*FlatContent, error) {
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
	if dim != 0 && dim != h.dim() {
		return nil, in.Caused(vector.ErrDim, atFlatStride, "stride", "the file's vectors have %d values, %d are expected", h.dim(), dim)
	}
	return readFlatRows(in, &h)
}

func readFlatRows(in *format.Reader, h *flatHeader) (*FlatContent, error) {
	count, dim := int(h.count), h.dim()
	values := make([]float32, count*dim)
	c := &FlatContent{Capacity: h.max, Labels: make([]uint64, count)}
	var err error
	if c.Rows, err = vector.Of(values, dim); err != nil {
		return nil, err
	}
	for i := range count {
		at := in.Offset()
		b, err := in.Next(int(h.stride), "row")
		if err != nil {
			return nil, err
		}
		row := values[i*dim : (i+1)*dim]
		for j := range row {
			row[j] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*j:]))
		}
		if !vector.Finite(row) {
			return nil, in.Caused(hnsw.ErrNotFinite, at, "vector", "row %d", i)
		}
		c.Labels[i] = binary.LittleEndian.Uint64(b[4*dim:])
	}
	return c, nil
}

// WriteFlat writes c as a brute-force file, which appears whole or not at all.
func WriteFlat(ctx context.Context, path string, c *FlatContent) error {
	return atomicfile.Write(path, func(w io.Writer) error { return EncodeFlat(ctx, w, c) })
}

// EncodeFlat writes c to w as a brute-force file. hnswlib stores all rows that there is room for; those past the
// content are zero.
func EncodeFlat(ctx context.Context, w io.Writer, c *FlatContent) error {
	if err := format.CheckMachine(); err != nil {
		return err
	}
	dim, count := c.Rows.Dim(), len(c.Labels)
	if c.Rows.Rows() != count || dim < 1 {
		return fmt.Errorf("hnswlib brute-force index: %d labels for %d × %d values", count, c.Rows.Rows(), dim)
	}
	room, stride := max(c.Capacity, uint64(count)), 4*dim+labelSize
	out := format.Writer(ctx, w)
	head := make([]byte, flatHeaderSize)
	binary.LittleEndian.PutUint64(head[atFlatMax:], room)
	binary.LittleEndian.PutUint64(head[atFlatStride:], uint64(stride))
	binary.LittleEndian.PutUint64(head[atFlatCount:], uint64(count))
	if _, err := out.Write(head); err != nil {
		return err
	}
	b, row := make([]byte, stride), make([]float32, dim)
	for i := range count {
		c.Rows.Decode(i, row)
		for j, v := range row {
			binary.LittleEndian.PutUint32(b[4*j:], math.Float32bits(v))
		}
		binary.LittleEndian.PutUint64(b[4*dim:], c.Labels[i])
		if _, err := out.Write(b); err != nil {
			return err
		}
	}
	clear(b)
	for i := uint64(count); i < room; i++ {
		if _, err := out.Write(b); err != nil {
			return err
		}
	}
	return out.Flush()
}
