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
	"github.com/shale-search/shale/internal/rowtype"
)

// Source is an index that can be saved: *hnsw.Index or *hnsw.Frozen.
type Source interface {
	WithImage(func(*hnsw.Image) error) error
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

// Write writes x to a new file, which it doesn't sync.
func Write(ctx context.Context, f Writer, x Source) error {
	_, frozen := x.(*hnsw.Frozen)
	return x.WithImage(func(m *hnsw.Image) error { return save(ctx, f, m, frozen) })
}

// save writes the sections and then, in its place before them, the header.
func save(ctx context.Context, f Writer, m *hnsw.Image, frozen bool) error {
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
	for _, s := range []struct {
		kind Kind
		body func(io.Writer) error
	}{
		{Meta, all(metaBytes)}, {Levels, all(bytesOf(m.Levels))}, {Links0, all(bytesOf(m.Links0))},
		{UpperAt, all(bytesOf(m.UpperAt))}, {Upper, all(bytesOf(m.Upper))}, {Labels, all(bytesOf(m.Labels))},
		{Vectors, func(w io.Writer) error { return writeRows(io.MultiWriter(w, sums), m) }},
		{Deleted, all(bytesOf(m.Deleted))}, {Quantizer, all(bytesOf(values))}, {Codes, all(codes)},
		{Sums, func(w io.Writer) error { return all(bytesOf(sums.all()))(w) }},
	} {
		if err := w.section(s.kind, s.body); err != nil {
			return err
		}
	}
	if err := w.w.Flush(); err != nil {
		return err
	}
	h := header{length: w.off, sections: w.done}
	_, err = f.WriteAt(h.encode(), 0)
	return err
}

// all is the body of a section that lies in memory as it is written.
func all(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}

func writeRows(w io.Writer, m *hnsw.Image) error {
	if m.Config.Storage == rowtype.External {
		return nil
	}
	b := make([]byte, m.Rows.Stride()) // what lies between rows stays zero
	for i := range m.Count {
		copy(b, m.Rows.RowBytes(i))
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// sectionWriter writes sections one after another and records their places and checksums.
type sectionWriter struct {
	w    *bufio.Writer
	off  int64
	crc  uint32
	done []Section
}

// section writes the zeros that align a section, and then the section by body.
func (s *sectionWriter) section(k Kind, body func(io.Writer) error) error {
	if err := s.pad(alignUp(s.off) - s.off); err != nil {
		return err
	}
	start := s.off
	s.crc = 0
	if err := body(s); err != nil {
		return fmt.Errorf("%s: %w", k, err)
	}
	s.done = append(s.done, Section{Kind: k, CRC: s.crc, Offset: start, Length: s.off - start})
	return nil
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
