package datafile

import (
	"fmt"
	"io"

	"github.com/shale-search/shale/vector"
)

// blockSize is the number of bytes read at a time while elements are converted.
const blockSize = 64 << 10

// rowSource reads a file's rows as they are stored.
type rowSource interface {
	// readRows fills dst with the next whole rows, packed.
	readRows(dst []byte) error
	// finish checks what follows the last row.
	finish() error
	Close() error
}

// stream is a reader over a rowSource: it counts rows and converts elements.
type stream struct {
	origin
	src       rowSource
	dt        dtype
	typ       vector.Type
	rows, dim int
	next      int    // number of the next row
	block     []byte // unconverted rows
	err       error  // io.EOF or the first failure
}

func newStream(o origin, src rowSource, dt dtype, rows, dim int64) (*stream, error) {
	typ, ok := dt.vectorType()
	if !ok {
		return nil, o.caused(ErrUnsupported, -1, "type", "%s elements: convert them to float32, float16, int8 or uint8", dt)
	}
	return &stream{origin: o, src: src, dt: dt, typ: typ, rows: int(rows), dim: int(dim)}, nil
}

func (s *stream) Rows() int         { return s.rows }
func (s *stream) Dim() int          { return s.dim }
func (s *stream) Type() vector.Type { return s.typ }
func (s *stream) Close() error      { return s.src.Close() }

// rowBytes returns the size of a row in the file.
func (s *stream) rowBytes() int { return s.dim * s.dt.size }

func (s *stream) Read(dst []byte) (int, error) {
	size := s.dim * s.typ.Size()
	n, err := s.take(len(dst), size)
	if err != nil {
		return 0, err
	}
	if s.dt.native() {
		if s.err = s.src.readRows(dst[:n*size]); s.err != nil {
			return 0, s.err
		}
		s.next += n
		return n, nil
	}
	return s.inBlocks(n, func(row int, raw []byte) { s.dt.convert(dst[row*size:], raw) })
}

// take returns the number of rows to read into a buffer of room bytes, if a row takes size bytes.
func (s *stream) take(room, size int) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.next == s.rows {
		if s.err = s.src.finish(); s.err == nil {
			s.err = io.EOF
		}
		return 0, s.err
	}
	if room < size {
		return 0, fmt.Errorf("dataset: %s: a buffer of %d for rows of %d: %w", s.file, room, size, io.ErrShortBuffer)
	}
	return min(room/size, s.rows-s.next), nil
}

// inBlocks reads n rows block by block, and calls use with each block and the number of its first row among the n.
func (s *stream) inBlocks(n int, use func(row int, raw []byte)) (int, error) {
	size := s.rowBytes()
	step := min(n, max(1, blockSize/size))
	if len(s.block) < step*size {
		s.block = make([]byte, step*size)
	}
	for row := 0; row < n; row += step {
		raw := s.block[:min(step, n-row)*size]
		if s.err = s.src.readRows(raw); s.err != nil {
			return 0, s.err
		}
		use(row, raw)
	}
	s.next += n
	return n, nil
}
