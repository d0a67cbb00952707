package store

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/vfs"
	"github.com/shale-search/shale/vector"
)

// OpenMapped maps an index file for searching. Whatever the size of the file, it reads and checks only the header, the
// meta section and the codes' center or codebooks, unless Options.Checked is set; Verify checks the rest. Searches read
// what they need from the mapping, and return an error if the file was cut off or its disk fails. Other damage may give
// wrong answers, but never a read outside the arrays. Links aren't packed.
func OpenMapped(ctx context.Context, path string, o Options) (*hnsw.Frozen, error) {
	x, _, err := openMapped(ctx, path, o, false)
	return x, err
}

// OpenMappedCodes is OpenMapped for a caller that reads rows itself, as after OpenCodes: searches read codes, and their
// distances are estimates. It also reads the checksums of the rows. An index without codes is an error.
func OpenMappedCodes(ctx context.Context, path string, o Options) (*hnsw.Frozen, RowPlace, error) {
	return openMapped(ctx, path, o, true)
}

func openMapped(ctx context.Context, path string, o Options, withoutRows bool) (x *hnsw.Frozen, place RowPlace,
	err error) {
	if o.Checked {
		if err := withLoader(ctx, path, (*loader).checkSums); err != nil {
			return nil, place, fmt.Errorf("map index: %w", err)
		}
	}
	err = withHead(ctx, path, func(l *loader) error {
		c, err := l.config(o)
		if err != nil {
			return err
		}
		r, err := mmap.File(path, l.h.length)
		if err != nil {
			return err
		}
		owner := closers{r}
		if withoutRows {
			place, err = l.leaveRows(r)
			c.Storage = rowtype.NoRows
		}
		var m *hnsw.Image
		if err == nil {
			m, err = l.mapped(r, c)
		}
		if err == nil && o.PinUpper {
			owner, err = l.pinUpper(path, m, owner)
		}
		if err == nil {
			x, err = hnsw.MapFrozen(m, int(l.meta.Deleted), owner)
		}
		if err != nil {
			return errors.Join(err, owner.Close())
		}
		return nil
	})
	if err != nil {
		return nil, RowPlace{}, fmt.Errorf("map index: %w", err)
	}
	return x, place, nil
}

// leaveRows returns the place of the rows, which the caller of the loader reads, with their checksums.
func (l *loader) leaveRows(r *mmap.Region) (place RowPlace, err error) {
	defer mmap.Catch(mmap.Guard(), &err)
	if l.meta.Coded == 0 {
		return place, l.noCodes()
	}
	place = l.rowPlace()
	place.Sums, err = checkedCopy[uint32](l, r, Sums)
	return place, err
}

// mapped returns the sections in r as the arrays of an index.
func (l *loader) mapped(r *mmap.Region, c hnsw.Config) (m *hnsw.Image, err error) {
	defer mmap.Catch(mmap.Guard(), &err)
	m = &hnsw.Image{Config: c, Count: int(l.meta.Count), TopLevel: -1}
	l.begun(m)
	m.Levels = sectionOf[uint8](l, r, Levels)
	m.Links0 = sectionOf[uint32](l, r, Links0)
	m.UpperAt = sectionOf[uint32](l, r, UpperAt)
	m.Upper = sectionOf[uint32](l, r, Upper)
	m.Labels = sectionOf[uint64](l, r, Labels)
	m.Deleted = sectionOf[uint32](l, r, Deleted)
	if m.Coded {
		if m.Quantizer, err = checkedCopy[float32](l, r, Quantizer); err != nil { // read for every query
			return nil, err
		}
		m.Codes = sectionOf[uint8](l, r, Codes)
	}
	if c.Storage == rowtype.NoRows {
		m.Rows, err = vector.FromBytes(nil, c.Storage, m.Count, c.Dim, 0)
		return m, err
	}
	m.Rows, err = vector.FromBytes(sectionOf[uint8](l, r, Vectors), c.Storage, m.Count, c.Dim, int(l.meta.RowStride))
	return m, err
}

// sectionOf returns section k, whose place and length were checked by header and meta.
func sectionOf[T uint8 | uint32 | uint64 | float32](l *loader, r *mmap.Region, k Kind) []T {
	s := l.h.section(k)
	var zero T
	return mmap.Slice[T](r, int(s.Offset), int(s.Length)/sizeOf(zero))
}

// checkedCopy returns a copy of section k, whose checksum it compares.
func checkedCopy[T uint32 | float32](l *loader, r *mmap.Region, k Kind) ([]T, error) {
	values := append([]T(nil), sectionOf[T](l, r, k)...)
	if s := l.h.section(k); checksum(bytesOf(values)) != s.CRC {
		return nil, l.r.Bad(s.Offset, k.String(), "its checksum should be %08x: the section is damaged", s.CRC)
	}
	return values, nil
}

// closers is a list of closers that are closed together.
type closers []io.Closer

// Close closes all of them.
func (c closers) Close() error {
	var errs []error
	for _, one := range c {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}

// pinUpper copies the levels above 0 of m from the file into memory, and appends that memory to owner.
func (l *loader) pinUpper(path string, m *hnsw.Image, owner closers) (closers, error) {
	f, err := vfs.Open(path)
	if err != nil {
		return owner, err
	}
	defer f.Close()
	for _, k := range []Kind{Levels, UpperAt, Upper} {
		s := l.h.section(k)
		r, err := mmap.Anonymous(int(s.Length))
		if err != nil {
			return owner, err
		}
		owner = append(owner, r)
		if _, err := f.ReadAt(r.Bytes(), s.Offset); err != nil {
			return owner, fmt.Errorf("read %s of %s: %w", k, path, err)
		}
		switch k {
		case Levels:
			m.Levels = r.Bytes()
		case UpperAt:
			m.UpperAt = mmap.Slice[uint32](r, 0, len(m.UpperAt))
		default:
			m.Upper = mmap.Slice[uint32](r, 0, len(m.Upper))
		}
	}
	return owner, nil
}
