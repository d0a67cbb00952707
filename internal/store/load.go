package store

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/rowtype"
)

// step is the number of bytes that are read and summed at a time.
const step = 256 << 10

// loader reads a file's sections in order.
type loader struct {
	r    *format.Reader
	h    *header
	meta *meta
	crc  uint32 // of what was read of the present section

	withoutRows  bool      // rows are passed over
	withoutLinks bool      // links of level 0 are passed over
	rowSums      blockSums // of the rows read
	sums         []uint32  // those of the file
}

// newLoader reads the header and the meta section of a file of size bytes. name is the file's name in errors.
func newLoader(ctx context.Context, r io.Reader, name string, size int64) (*loader, error) {
	return loaderOf(format.NewReader(ctx, r, name, size))
}

// loaderOf is newLoader for a file that is read from its beginning.
func loaderOf(r *format.Reader) (*loader, error) {
	if err := format.CheckMachine(); err != nil {
		return nil, err
	}
	l := &loader{r: r}
	return l, l.begin()
}

// begin reads the header and the meta section.
func (l *loader) begin() error {
	var err error
	if l.h, err = readHeader(l.r); err != nil {
		return err
	}
	s := l.h.section(Meta)
	if s.Length != metaSize {
		return l.r.Bad(s.Offset, "meta", "%d bytes long, not %d", s.Length, metaSize)
	}
	return l.section(Meta, func() error {
		b, err := l.next(metaSize, Meta)
		if err != nil {
			return err
		}
		if err := l.checkCRC(Meta); err != nil {
			return err // says more than what the damaged fields would
		}
		l.meta, err = parseMeta(l.r, l.h, b)
		return err
	})
}

// fill reads all sections after meta.
func (l *loader) fill(m *hnsw.Image) error {
	l.begun(m)
	for k := Levels; k < kinds+1; k++ {
		if k == Vectors && l.withoutRows || k == Links0 && l.withoutLinks {
			if err := l.pass(k); err != nil {
				return err
			}
			continue
		}
		if err := l.section(k, func() error { return l.body(k, m) }); err != nil {
			return err
		}
	}
	return l.checkDeleted(m)
}

// begun applies the meta section.
func (l *loader) begun(m *hnsw.Image) {
	if m.Count > 0 {
		m.TopLevel, m.Entry = int(l.meta.TopLevel), l.meta.Entry
	}
	if m.Coded = l.meta.Coded != 0; !m.Coded {
		m.Quantizer, m.Codes = nil, nil
	}
}

func (l *loader) body(k Kind, m *hnsw.Image) error {
	if k == Sums {
		return l.readSums()
	}
	if k == Vectors {
		return l.rows(func(i int, row []byte) error {
			copy(m.Rows.RowBytes(i), row)
			return nil
		})
	}
	return l.full(array(m, k), k)
}

// array returns the image's array for section k.
func array(m *hnsw.Image, k Kind) []byte {
	switch k {
	case Levels:
		return m.Levels
	case Links0:
		return bytesOf(m.Links0)
	case UpperAt:
		return bytesOf(m.UpperAt)
	case Upper:
		return bytesOf(m.Upper)
	case Labels:
		return bytesOf(m.Labels)
	case Deleted:
		return bytesOf(m.Deleted)
	case Quantizer:
		return bytesOf(m.Quantizer)
	case Codes:
		return m.Codes
	}
	panic(fmt.Sprintf("store: no array holds %s", k))
}

// rows calls fn with the rows of the vectors section one by one, without the bytes between them.
func (l *loader) rows(fn func(i int, row []byte) error) error {
	stride := int(l.meta.RowStride)
	if stride == 0 {
		return nil // there are none
	}
	c := l.meta.config()
	size := rowtype.Size(c.Storage, c.Dim)
	count, batch := int(l.meta.Count), max(step/stride, 1)
	for i := 0; i < count; i += batch {
		n := min(batch, count-i)
		b, err := l.next(n*stride, Vectors)
		if err != nil {
			return err
		}
		_, _ = l.rowSums.Write(b) // can't fail
		for j := range n {
			if err := fn(i+j, b[j*stride:j*stride+size]); err != nil {
				return err
			}
		}
	}
	return nil
}

// readSums reads the checksums of rows and compares them with those of the rows read.
func (l *loader) readSums() error {
	l.sums = make([]uint32, l.h.section(Sums).Length/4)
	if err := l.full(bytesOf(l.sums), Sums); err != nil || l.withoutRows {
		return err
	}
	for i, sum := range l.rowSums.all() {
		if sum != l.sums[i] {
			at := l.h.section(Sums).Offset + 4*int64(i)
			return l.r.Bad(at, Sums.String(), "that of block %d of the rows is %08x, it should be %08x", i, l.sums[i], sum)
		}
	}
	return nil
}

// section skips the zeros before section k, calls read to consume it, and compares its checksum.
func (l *loader) section(k Kind, read func() error) error {
	if err := l.enter(k); err != nil {
		return err
	}
	if err := read(); err != nil {
		return err
	}
	return l.checkCRC(k)
}

// checkSums reads all sections after meta, and compares their checksums.
func (l *loader) checkSums() error {
	for k := Levels; k < kinds+1; k++ {
		if err := l.section(k, func() error { return l.sum(k) }); err != nil {
			return err
		}
	}
	return nil
}

// sum reads section k for its checksum alone.
func (l *loader) sum(k Kind) error {
	for left := l.h.section(k).Length; left > 0; left -= step {
		if _, err := l.next(int(min(left, step)), k); err != nil {
			return err
		}
	}
	return nil
}

// pass skips to the end of section k.
func (l *loader) pass(k Kind) error {
	if err := l.enter(k); err != nil {
		return err
	}
	return l.r.Skip(l.h.section(k).Length, k.String())
}

// enter goes to the start of section k and checks that the bytes before it are zero.
func (l *loader) enter(k Kind) error {
	l.crc = 0
	at := l.r.Offset()
	gap, err := l.r.Next(int(l.h.section(k).Offset-at), "padding")
	if err != nil {
		return err
	}
	for i, b := range gap {
		if b != 0 {
			return l.r.Bad(at+int64(i), "padding", "%#x before %s, not 0", b, k)
		}
	}
	return nil
}

func (l *loader) checkCRC(k Kind) error {
	if s := l.h.section(k); l.crc != s.CRC {
		return l.r.Bad(s.Offset, k.String(), "its checksum is %08x, it should be %08x: the section is damaged", l.crc, s.CRC)
	}
	return nil
}

// full fills dst from the current section.
func (l *loader) full(dst []byte, k Kind) error {
	for len(dst) > 0 {
		part := dst[:min(len(dst), step)]
		if err := l.r.Full(part, k.String()); err != nil {
			return err
		}
		l.crc = crc32.Update(l.crc, castagnoli, part)
		dst = dst[len(part):]
	}
	return nil
}

// next returns the current section's next n bytes, valid until the next call.
func (l *loader) next(n int, k Kind) ([]byte, error) {
	b, err := l.r.Next(n, k.String())
	l.crc = crc32.Update(l.crc, castagnoli, b)
	return b, err
}

// checkDeleted compares the number of deletion marks with the one in meta.
func (l *loader) checkDeleted(m *hnsw.Image) error {
	at := l.h.section(Deleted).Offset
	if n := countBits(m.Deleted); uint64(n) != l.meta.Deleted {
		return l.r.Bad(at, Deleted.String(), "%d marks, meta says %d", n, l.meta.Deleted)
	}
	return nil
}

// locate turns an error about an image into one that names the place in the file.
func (l *loader) locate(err error) error {
	var e *hnsw.ImageError
	if !errors.As(err, &e) {
		return err
	}
	k, size := Meta, int64(0)
	switch e.Field {
	case "Levels":
		k, size = Levels, 1
	case "Links0":
		k, size = Links0, 4
	case "UpperAt":
		k, size = UpperAt, 4
	case "Upper":
		k, size = Upper, 4
	case "Labels":
		k, size = Labels, 8
	case "Deleted":
		k, size = Deleted, 4
	case "Rows":
		k, size = Vectors, int64(l.meta.RowStride)
	case "Quantizer":
		k, size = Quantizer, 4
	case "Codes":
		k, size = Codes, 1
	}
	at := l.h.section(k).Offset + int64(e.Index)*size
	return l.r.Bad(at, k.String(), "%s", e.Reason)
}
