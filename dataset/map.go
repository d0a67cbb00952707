package dataset

import (
	"fmt"
	"io"

	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/vector"
)

// Mapped is the rows of a file where they lie: reading one brings its pages from disk.
type Mapped struct {
	vector.Matrix
	region *mmap.Region
}

// Map maps the rows of a file in which they lie packed in a type that machines compute with: .npy in C order, .fbin,
// .u8bin or .i8bin. The file must stay as it is until Close; reading where it was cut off is a fault.
func Map(path string) (*Mapped, error) {
	if IsPipe(path) || path == stdinPath {
		return nil, fmt.Errorf("dataset: %s: %w: a pipe can't be mapped: write it to a file first", path, ErrUnsupported)
	}
	r, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	s := r.(*stream)
	src, ok := s.src.(*denseSource)
	if !ok || !src.inFile() || !s.dt.native() {
		return nil, s.caused(ErrUnsupported, -1, "format", "can't be mapped: write it as .npy of float32 or float16, in C order")
	}
	size := src.off + int64(s.rows)*int64(s.rowBytes())
	region, err := mmap.File(s.file, size)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	m, err := vector.FromBytes(region.Bytes()[src.off:], s.typ, s.rows, s.dim, 0)
	if err != nil {
		region.Close()
		return nil, s.caused(err, src.off, "data", "can't be mapped")
	}
	return &Mapped{m, region}, nil
}

// inFile reports whether rows are read from a file as they lie there: not from an archive.
func (d *denseSource) inFile() bool {
	_, ok := d.r.(*io.SectionReader)
	return ok
}

// Close ends the mapping. The rows must not be used any more.
func (m *Mapped) Close() error { return m.region.Close() }
