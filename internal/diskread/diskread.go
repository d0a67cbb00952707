// Package diskread reads many small pieces of files at once, such as the rows by which a search ranks its candidates.
// It bypasses the page cache where the file system allows that, so that memory is left to its owner.
package diskread

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// block is the alignment of offsets, lengths and addresses of reads that bypass the page cache.
const block = 4096

// File is an open file. Several readers may share it.
type File struct {
	f    *os.File
	size int64
}

// Open opens a file for reading.
func Open(path string) (*File, error) {
	f, err := openDirect(path)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open: %w", err), f.Close())
	}
	return &File{f, info.Size()}, nil
}

// Close closes the file. No read may be in progress.
func (f *File) Close() error { return f.f.Close() }

// Reader reads pieces of files. It isn't safe for concurrent use.
type Reader struct {
	slots   []slot
	free    []uint32
	memory  []byte // of all slots, outside the Go heap
	each    int    // bytes a slot
	largest int
	backend backend
	done    []result
	reads   int64
	bytes   int64
}

// slot is a read in progress.
type slot struct {
	file   *File
	tag    uint64
	offset int64 // of the blocks read
	length int   // of these
	from   int   // where the piece starts in them
	size   int   // of the piece
	at     int   // bytes that have arrived
}

// result is the outcome of a read: a number of bytes or an error.
type result struct {
	slot uint32
	n    int
	err  error
}

// backend issues reads.
type backend interface {
	// start queues the read of b at offset of f for a slot.
	start(slot uint32, f *os.File, b []byte, offset int64) error
	// submit starts the queued reads.
	submit() error
	// wait appends at least one finished read to dst. Reads must be in progress.
	wait(dst []result) ([]result, error)
	// close frees the backend. No read may be in progress.
	close() error
}

// New returns a reader of up to depth pieces at a time, each of at most largest bytes.
func New(depth, largest int) (*Reader, error) {
	if depth < 1 || depth > 1<<12 || largest < 1 || largest > 1<<28 {
		return nil, fmt.Errorf("diskread: %d reads of %d bytes at a time", depth, largest)
	}
	each := (largest+block-1)/block*block + block // a piece may start and end inside a block
	memory, err := allocate(depth * each)
	if err != nil {
		return nil, fmt.Errorf("diskread: buffers: %w", err)
	}
	r := &Reader{slots: make([]slot, depth), memory: memory, each: each, largest: largest}
	for i := range r.slots {
		r.free = append(r.free, uint32(i))
	}
	if r.backend, err = newBackend(depth); err != nil {
		return nil, errors.Join(err, release(memory))
	}
	return r, nil
}

// Free returns the number of pieces that can be started before Wait must return one.
func (r *Reader) Free() int { return len(r.free) }

// Stats returns the number of reads started so far, and their bytes.
func (r *Reader) Stats() (reads, bytes int64) { return r.reads, r.bytes }

// Start begins to read size bytes at offset of f. Wait returns the piece under tag.
func (r *Reader) Start(f *File, offset int64, size int, tag uint64) error {
	if size < 1 || size > r.largest || offset < 0 || offset > f.size-int64(size) {
		return fmt.Errorf("diskread: %d bytes at byte %d of %s, which has %d: %w", size, offset,
			f.f.Name(), f.size, io.ErrUnexpectedEOF)
	}
	if len(r.free) == 0 {
		return errors.New("diskread: too many reads at a time")
	}
	i := r.free[len(r.free)-1]
	first := offset / block * block
	last := (offset + int64(size) + block - 1) / block * block
	r.slots[i] = slot{file: f, tag: tag, offset: first, length: int(last - first), from: int(offset - first), size: size}
	if err := r.read(i); err != nil {
		return err
	}
	r.free = r.free[:len(r.free)-1]
	r.reads++
	r.bytes += last - first
	return nil
}

// read starts a read of the missing part of slot i.
func (r *Reader) read(i uint32) error {
	s := &r.slots[i]
	b := r.memory[int(i)*r.each:][:s.length]
	return r.backend.start(i, s.file.f, b[s.at:], s.offset+int64(s.at))
}

// Submit starts the queued reads without waiting for them. Wait does so too.
func (r *Reader) Submit() error {
	if err := r.backend.submit(); err != nil {
		return fmt.Errorf("diskread: %w", err)
	}
	return nil
}

// Wait waits until pieces have arrived, and calls fn with each, or with the error of its read. A piece is valid until
// fn returns. fn must not start reads.
func (r *Reader) Wait(fn func(tag uint64, piece []byte, err error)) error {
	if len(r.free) == len(r.slots) {
		return nil
	}
	var err error
	if r.done, err = r.backend.wait(r.done[:0]); err != nil {
		return fmt.Errorf("diskread: %w", err)
	}
	for _, d := range r.done {
		if err := r.arrived(d, fn); err != nil {
			return err
		}
	}
	return nil
}

// arrived passes a piece to fn. If less than the piece came, it reads on.
func (r *Reader) arrived(d result, fn func(tag uint64, piece []byte, err error)) error {
	s := &r.slots[d.slot]
	s.at += d.n
	needed := s.from + s.size
	switch {
	case d.err == nil && d.n > 0 && s.at < needed && s.at%block == 0:
		return r.read(d.slot)
	case d.err == nil && s.at < needed:
		d.err = io.ErrUnexpectedEOF
	}
	r.free = append(r.free, d.slot)
	if d.err != nil {
		fn(s.tag, nil, fmt.Errorf("read %d bytes at byte %d of %s: %w", s.size,
			s.offset+int64(s.from), s.file.f.Name(), d.err))
		return nil
	}
	at := int(d.slot)*r.each + s.from
	fn(s.tag, r.memory[at:at+s.size:at+s.size], nil)
	return nil
}

// Close waits for reads in progress and frees the reader.
func (r *Reader) Close() error {
	for len(r.free) < len(r.slots) {
		if err := r.Wait(func(uint64, []byte, error) {}); err != nil {
			return err // the kernel may still write to the buffers: they stay
		}
	}
	return errors.Join(r.backend.close(), release(r.memory))
}
