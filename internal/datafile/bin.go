package datafile

import "encoding/binary"

// binHeader is the size of the header of the big-ann-benchmarks' files: rows and dimension as uint32.
const binHeader = 8

// openBin opens fbin, u8bin and i8bin files.
func openBin(in *input, dt dtype) (*stream, error) {
	rows, dim, err := in.binShape()
	if err != nil {
		return nil, err
	}
	want, err := in.checkShape(4, rows, dim, dt.size)
	if err != nil {
		return nil, err
	}
	if have := in.size - binHeader; have != want && in.pipe == nil {
		return nil, in.bad(0, "rows",
			"%d rows of %d %s take %d bytes, but %d follow the header: the file is cut off, or its extension is wrong",
			rows, dim, dt, want, have)
	}
	if in.pipe != nil {
		if _, err := in.pipe.Discard(binHeader); err != nil {
			return nil, in.caused(err, 0, "header", "can't be read")
		}
	}
	src := &denseSource{origin: in.origin, r: in.from(binHeader, want), off: binHeader, closer: in.f}
	return newStream(in.origin, src, dt, rows, dim)
}

func (in *input) binShape() (rows, dim int64, err error) {
	h, err := in.head(binHeader)
	if err != nil {
		return 0, 0, err
	}
	if len(h) < binHeader {
		return 0, 0, in.bad(int64(len(h)), "header", "the file ends within its %d bytes", binHeader)
	}
	return int64(binary.LittleEndian.Uint32(h)), int64(binary.LittleEndian.Uint32(h[4:])), nil
}
