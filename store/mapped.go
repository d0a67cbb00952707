package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/shale-search/shale/hnsw"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/vector"
)

// OpenMapped maps an index file for searching. It reads and checks the header, the meta section and what codes are made by,
// and nothing else, however large the file is; Verify checks the rest. Searches read what they need from the mapping, and give an error where the file
// was cut off or its disk fails; what is damaged otherwise gives wrong answers, but never leads out of the arrays. Links
// aren't packed.
func OpenMapped(ctx context.Context, path string, o Options) (*hnsw.Frozen, error) {
	var x *hnsw.Frozen
	err := withHead(ctx, path, func(l *loader) error {
		c, err := l.config(o)
		if err != nil {
			return err
		}
		r, err := mmap.File(path, l.h.length)
		if err != nil {
			return err
		}
		m, err := l.mapped(r, c)
		if err == nil {
			x, err = hnsw.MapFrozen(m, int(l.meta.Deleted), r)
		}
		if err != nil {
			return errors.Join(err, r.Close())
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("map index: %w", err)
	}
	return x, nil
}

// mapped views the sections in r as the arrays of an index.
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
		m.Quantizer = append([]float32(nil), sectionOf[float32](l, r, Quantizer)...) // read for every query
		if s := l.h.section(Quantizer); checksum(bytesOf(m.Quantizer)) != s.CRC {
			return nil, l.r.Bad(s.Offset, Quantizer.String(), "its checksum should be %08x: the section is damaged", s.CRC)
		}
		m.Codes = sectionOf[uint8](l, r, Codes)
	}
	m.Rows, err = vector.FromBytes(sectionOf[uint8](l, r, Vectors), c.Storage, m.Count, c.Dim, int(l.meta.RowStride))
	return m, err
}

// sectionOf views section k, whose place and length the header and meta have been checked for.
func sectionOf[T uint8 | uint32 | uint64 | float32](l *loader, r *mmap.Region, k Kind) []T {
	s := l.h.section(k)
	var zero T
	return mmap.Slice[T](r, int(s.Offset), int(s.Length)/sizeOf(zero))
}
