// Package diskread reads small pieces of files, many at once: rows that a search ranks its candidates by, while they lie on
// disk. Files are read past the page cache where the file system allows it, so that memory holds what its owner put there.
package diskread

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// block is what offsets, lengths and addresses of reads past the page cache are multiples of.
const block = 4096

// File is a file to read pieces of. Readers may share it.
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

// Close closes the file. No reads may be under way.
func (f *File) Close() error { return f.f.Close() }

// Reader reads pieces. It is for one goroutine.
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

// slot is a read under way.
type slot struct {
	file   *File
	tag    uint64
	offset int64 // of the blocks read
	length int   // of these
	from   int   // where the piece starts in them
	size   int   // of the piece
	at     int   // bytes that have arrived
}

// result is the end of a read: as many bytes, or an error.
type result struct {
	slot uint32
	n    int
	err  error
}

// backend issues reads.
type backend interface {
	// start queues the read of b at offset of f for a slot.
	start(slot uint32, f *os.File, b []byte, offset int64) error
	// submit lets queued reads begin.
	submit() error
	// wait appends at least one of the reads that have ended to dst. Reads are under way.
	wait(dst []result) ([]result, error)
	// close frees what the backend holds. No reads are under way.
	close() error
}

// New makes a reader of up to depth pieces at a time, of at most largest bytes each.
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

// Free is the number of pieces that Start takes before Wait must give one back.
func (r *Reader) Free() int { return len(r.free) }

// Stats gives the number of reads started so far and the bytes that they read.
func (r *Reader) Stats() (reads, bytes int64) { return r.reads, r.bytes }

// Start begins to read size bytes at offset of f; Wait tells of their arrival by tag.
func (r *Reader) Start(f *File, offset int64, size int, tag uint64) error {
	if size < 1 || size > r.largest || offset < 0 || offset > f.size-int64(size) {
		return fmt.Errorf("diskread: %d bytes at byte %d of %s, which has %d: %w", size, offset, f.f.Name(), f.size, io.ErrUnexpectedEOF)
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

// read starts reading what is missing of slot i.
func (r *Reader) read(i uint32) error {
	s := &r.slots[i]
	b := r.memory[int(i)*r.each:][:s.length]
	return r.backend.start(i, s.file.f, b[s.at:], s.offset+int64(s.at))
}

// Submit lets the reads started so far begin, without waiting for any; Wait does so too.
func (r *Reader) Submit() error {
	if err := r.backend.submit(); err != nil {
		return fmt.Errorf("diskread: %w", err)
	}
	return nil
}

// Wait waits until pieces have arrived and gives each to fn, or the error that kept it from arriving. A piece is valid
// until fn returns; fn may not start reads.
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

// arrived gives a piece to fn, or goes on reading where less than it came.
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
		fn(s.tag, nil, fmt.Errorf("read %d bytes at byte %d of %s: %w", s.size, s.offset+int64(s.from), s.file.f.Name(), d.err))
		return nil
	}
	at := int(d.slot)*r.each + s.from
	fn(s.tag, r.memory[at:at+s.size:at+s.size], nil)
	return nil
}

// Close waits for the reads under way and frees the reader.
func (r *Reader) Close() error {
	for len(r.free) < len(r.slots) {
		if err := r.Wait(func(uint64, []byte, error) {}); err != nil {
			return err // the kernel may still write to the buffers: they stay
		}
	}
	return errors.Join(r.backend.close(), release(r.memory))
}
