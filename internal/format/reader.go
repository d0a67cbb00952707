package format

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
)

// chunk is the number of bytes read or written between two checks of the context.
const chunk = 256 << 10

// Reader reads a file of known length from front to back. Its errors name the offset.
type Reader struct {
	file string
	r    *bufio.Reader
	from *contextReader
	buf  []byte
	off  int64
	size int64
}

// NewReader returns a reader of size bytes from r. file is the name in errors. Reading fails once ctx has ended.
func NewReader(ctx context.Context, r io.Reader, file string, size int64) *Reader {
	return newReader(ctx, r, file, size, chunk)
}

// NewHeadReader is like NewReader, for the beginning of a file: it reads little more than is asked for.
func NewHeadReader(ctx context.Context, r io.Reader, file string, size int64) *Reader {
	return newReader(ctx, r, file, size, headChunk)
}

// headChunk is the size of the buffer of a NewHeadReader.
const headChunk = 8 << 10

func newReader(ctx context.Context, r io.Reader, file string, size, buffer int64) *Reader {
	from := &contextReader{ctx, r}
	return &Reader{file: file, r: bufio.NewReaderSize(from, int(min(size, buffer))), from: from, size: size}
}

// Offset returns the offset of the next byte.
func (r *Reader) Offset() int64 { return r.off }

// Size returns the file's length.
func (r *Reader) Size() int64 { return r.size }

// Next returns the next n bytes, which are valid until the next call. The caller has checked n against Size.
func (r *Reader) Next(n int, field string) ([]byte, error) {
	if r.size-r.off < int64(n) {
		return nil, r.Bad(r.off, field, "the file ends %d bytes too early", int64(n)-(r.size-r.off))
	}
	if cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	b := r.buf[:n]
	return b, r.Full(b, field)
}

// Full fills dst with the next bytes.
func (r *Reader) Full(dst []byte, field string) error {
	n, err := io.ReadFull(r.r, dst)
	r.off += int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return r.Bad(r.off, field, "the file ends %d bytes too early", len(dst)-n)
	}
	if err != nil {
		return fmt.Errorf("read %s at byte %d: %w", r.file, r.off, err)
	}
	return nil
}

// Skip skips the next n bytes. It seeks if the file allows that. The caller has checked n against Size.
func (r *Reader) Skip(n int64, field string) error {
	if r.size-r.off < n {
		return r.Bad(r.off, field, "the file ends %d bytes too early", n-(r.size-r.off))
	}
	seeker, ok := r.from.r.(io.Seeker)
	if !ok {
		_, err := io.CopyN(io.Discard, r.r, n)
		r.off += n
		return err
	}
	if _, err := seeker.Seek(n-int64(r.r.Buffered()), io.SeekCurrent); err != nil {
		return fmt.Errorf("pass over %s of %s: %w", field, r.file, err)
	}
	r.r.Reset(r.from)
	r.off += n
	return nil
}

// Bad returns an *Error about this file.
func (r *Reader) Bad(off int64, field, reason string, args ...any) error {
	return r.Caused(nil, off, field, reason, args...)
}

// Caused is Bad with a cause.
func (r *Reader) Caused(cause error, off int64, field, reason string, args ...any) error {
	return &Error{File: r.file, Offset: off, Field: field, Reason: fmt.Sprintf(reason, args...), Err: cause}
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p[:min(len(p), chunk)])
}

// Writer returns a buffered writer to w that fails once ctx has ended. The caller must flush it.
func Writer(ctx context.Context, w io.Writer) *bufio.Writer {
	return bufio.NewWriterSize(&contextWriter{ctx, w}, chunk)
}

type contextWriter struct {
	ctx context.Context
	w   io.Writer
}

func (c *contextWriter) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		if err := c.ctx.Err(); err != nil {
			return done, err
		}
		n, err := c.w.Write(p[done:min(len(p), done+chunk)])
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}
