package datafile

import (
	"encoding/binary"
	"io"
)

// vecsSource reads TEXMEX files, where each row begins with its dimension as int32.
type vecsSource struct {
	denseSource
	dim   int
	row   int // bytes of a row without its dimension
	block []byte
}

// openVecs opens fvecs and bvecs files.
func openVecs(in *input, dt dtype) (*stream, error) {
	src, rows, err := newVecsSource(in, dt)
	if err != nil {
		return nil, err
	}
	return newStream(in.origin, src, dt, rows, int64(src.dim))
}

func newVecsSource(in *input, dt dtype) (*vecsSource, int64, error) {
	if err := in.whole("fvecs, bvecs and ivecs"); err != nil { // their number of rows follows from their size
		return nil, 0, err
	}
	h, err := in.head(4)
	if err != nil {
		return nil, 0, err
	}
	if len(h) < 4 {
		return nil, 0, in.bad(int64(len(h)), "dimension",
			"the file ends within the first row's dimension; an empty one has no dimension")
	}
	dim := int64(int32(binary.LittleEndian.Uint32(h)))
	if _, err := in.checkShape(0, 1, dim, dt.size); err != nil {
		return nil, 0, err
	}
	row := 4 + dim*int64(dt.size)
	if in.size%row != 0 {
		return nil, 0, in.bad(0, "dimension",
			"%d bytes are no whole number of rows of %d %s: the file is cut off, or its extension is wrong", in.size, dim, dt)
	}
	d := denseSource{origin: in.origin, r: io.NewSectionReader(in.f, 0, in.size), closer: in.f}
	return &vecsSource{denseSource: d, dim: int(dim), row: int(row) - 4}, in.size / row, nil
}

func (v *vecsSource) readRows(dst []byte) error {
	stride := 4 + v.row
	for len(dst) > 0 {
		n := min(len(dst)/v.row, max(1, blockSize/stride))
		if len(v.block) < n*stride {
			v.block = make([]byte, n*stride)
		}
		start, raw := v.off, v.block[:n*stride]
		if err := v.denseSource.readRows(raw); err != nil {
			return err
		}
		for i := range n {
			r := raw[i*stride:]
			if dim := int32(binary.LittleEndian.Uint32(r)); int(dim) != v.dim {
				return v.bad(start+int64(i*stride), "dimension",
					"%d, where the first row has %d: all rows must have the same", dim, v.dim)
			}
			copy(dst[i*v.row:], r[4:stride])
		}
		dst = dst[n*v.row:]
	}
	return nil
}
