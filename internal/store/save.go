package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/rowtype"
)

// Source is an index that can be saved: *hnsw.Index or *hnsw.Frozen.
type Source interface {
	Image() (m *hnsw.Image, release func(), err error)
	WithImage(fn func(*hnsw.Image) error) error
}

// Save writes x to path. After an error, or when ctx ends, path is unchanged. Changes of a growing index wait
// meanwhile; searches go on.
func Save(ctx context.Context, path string, x Source) error { return SaveLike(ctx, path, "", x) }

// SaveLike is like Save. If path doesn't exist, the new file gets the mode and owner of the file at like.
func SaveLike(ctx context.Context, path, like string, x Source) (err error) {
	if err := format.CheckMachine(); err != nil {
		return err
	}
	f, err := atomicfile.CreateLike(path, like)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Abort()) }() // does nothing after Commit
	if err := Write(ctx, f, x); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return f.Commit()
}

// Writer is a new file.
type Writer interface {
	io.Writer
	io.WriterAt
}

// Write writes x to a new file, which it doesn't sync: the sections and then, in its place before them, the header.
func Write(ctx context.Context, f Writer, x Source) (err error) {
	defer mmap.Catch(mmap.Guard(), &err) // x may lie in a file
	m, release, err := x.Image()
	if err != nil {
		return err
	}
	defer release()
	_, frozen := x.(*hnsw.Frozen)
	mt := metaOf(m, frozen)
	metaBytes, err := mt.encode()
	if err != nil {
		return err
	}
	w := &sectionWriter{w: format.Writer(ctx, f)}
	if err := w.pad(headerSize); err != nil {
		return err
	}
	values, codes, sums := m.Quantizer, m.Codes, &blockSums{}
	if !m.Coded {
		values, codes = nil, nil
	}
	err = w.sections(
		content{Meta, metaBytes}, content{Levels, bytesOf(m.Levels)}, content{Links0, bytesOf(m.Links0)},
		content{UpperAt, bytesOf(m.UpperAt)}, content{Upper, bytesOf(m.Upper)}, content{Labels, bytesOf(m.Labels)},
	)
	if err != nil {
		return err
	}
	if err := w.rows(m, sums); err != nil {
		return fmt.Errorf("%s: %w", Vectors, err)
	}
	err = w.sections(
		content{Deleted, bytesOf(m.Deleted)}, content{Quantizer, bytesOf(values)}, content{Codes, codes},
		content{Sums, bytesOf(sums.all())},
	)
	if err != nil {
		return err
	}
	if err := w.w.Flush(); err != nil {
		return err
	}
	h := header{length: w.off, sections: w.done, custom: m.Config.CustomName}
	_, err = f.WriteAt(h.encode(), 0)
	return err
}

// sectionWriter writes sections one after another and records their places and checksums.
type sectionWriter struct {
	w    *bufio.Writer
	off  int64
	crc  uint32
	done []Section
}

// content is a section that lies in memory as it is written.
type content struct {
	kind  Kind
	bytes []byte
}

func (s *sectionWriter) sections(all ...content) error {
	for _, c := range all {
		start, err := s.begin()
		if err == nil {
			_, err = s.Write(c.bytes)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.kind, err)
		}
		s.end(c.kind, start)
	}
	return nil
}

// rows writes the section of the rows and adds their checksums to sums.
func (s *sectionWriter) rows(m *hnsw.Image, sums *blockSums) error {
	start, err := s.begin()
	if err != nil {
		return err
	}
	if m.Config.Storage != rowtype.External {
		row := make([]byte, m.Rows.Stride()) // what lies between rows stays zero
		for i := range m.Count {
			copy(row, m.Rows.RowBytes(i))
			if _, err := s.Write(row); err != nil {
				return err
			}
			if _, err := sums.Write(row); err != nil {
				return err
			}
		}
	}
	s.end(Vectors, start)
	return nil
}

// begin writes the zeros that align a section, and returns where it starts.
func (s *sectionWriter) begin() (start int64, err error) {
	err = s.pad(alignUp(s.off) - s.off)
	s.crc = 0
	return s.off, err
}

// end records a section.
func (s *sectionWriter) end(k Kind, start int64) {
	s.done = append(s.done, Section{Kind: k, CRC: s.crc, Offset: start, Length: s.off - start})
}

func (s *sectionWriter) pad(n int64) error {
	_, err := s.Write(make([]byte, n))
	return err
}

// Write implements io.Writer.
func (s *sectionWriter) Write(b []byte) (int, error) {
	const step = 1 << 20 // what is summed is still in the cache when it is written
	done := 0
	for done < len(b) {
		part := b[done:min(len(b), done+step)]
		s.crc = crc32.Update(s.crc, castagnoli, part)
		n, err := s.w.Write(part)
		done += n
		s.off += int64(n)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}
