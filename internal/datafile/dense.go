package datafile

import (
	"errors"
	"io"
)

// denseSource reads rows that lie packed, one after another.
type denseSource struct {
	origin
	r      io.Reader
	off    int64 // of r, in the file or member
	closer io.Closer
}

func (d *denseSource) readRows(dst []byte) error {
	n, err := io.ReadFull(d.r, dst)
	d.off += int64(n)
	return d.readError(err)
}

// readError says what a read that ended at d.off met.
func (d *denseSource) readError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return d.caused(io.ErrUnexpectedEOF, d.off, "data",
			"the rows end before the number that the header declares: copy the file again")
	}
	return d.caused(err, d.off, "data", "can't be read")
}

// finish reads on to the end: a compressed member checks its checksum there.
func (d *denseSource) finish() error {
	var b [1]byte
	switch n, err := io.ReadFull(d.r, b[:]); {
	case n > 0:
		return d.bad(d.off,
			"data", "bytes follow the last row that the header declares: the file is damaged or holds several arrays")
	case err != io.EOF:
		return d.caused(err, d.off, "data", "can't be read to the end")
	}
	return nil
}

func (d *denseSource) Close() error { return d.closer.Close() }

// columnSource reads the rows of a matrix that lies column after column, as Fortran orders it.
type columnSource struct {
	origin
	in        *input
	base      int64
	rows, dim int
	size      int // of an element
	next      int
	column    []byte
}

func (c *columnSource) readRows(dst []byte) error {
	stride := c.dim * c.size
	n := len(dst) / stride
	if len(c.column) < n*c.size {
		c.column = make([]byte, n*c.size)
	}
	part := c.column[:n*c.size]
	for j := range c.dim {
		off := c.base + (int64(j)*int64(c.rows)+int64(c.next))*int64(c.size)
		if _, err := c.in.f.ReadAt(part, off); err != nil {
			return c.caused(err, off, "data", "can't be read")
		}
		for i := range n {
			copy(dst[i*stride+j*c.size:][:c.size], part[i*c.size:])
		}
	}
	c.next += n
	return nil
}

func (c *columnSource) finish() error { return nil }
func (c *columnSource) Close() error  { return c.in.f.Close() }
