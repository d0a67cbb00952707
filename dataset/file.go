package dataset

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/shale-search/shale/vector"
)

// blockBytes is the size of the blocks in which File reads.
const blockBytes = 16 << 20

// File is vectors in a file, or in several that follow each other. They can be read from front to back more than once.
type File struct {
	parts     []filePart
	rows, dim int
	typ       vector.Type
	id        string
}

// filePart is one of the files, of a number of rows.
type filePart struct {
	path string
	rows int
	pipe Reader // of a pipe, until it is read
	once bool   // it is a pipe
}

// OpenFile looks at a file of at least one vector, as Open does. It keeps nothing open.
func OpenFile(path string) (*File, error) { return OpenFiles(path) }

// OpenFiles is OpenFile for the vectors of several files, one file after another. All must hold vectors of the same
// type and as many values. Pipes are refused, since they can be read once.
func OpenFiles(paths ...string) (*File, error) {
	for _, path := range paths {
		if IsPipe(path) {
			return nil, onceError(path)
		}
	}
	return OpenOnce(paths...)
}

// OpenOnce is OpenFiles that takes pipes and standard input, "-", as well. Where there is one, Blocks
// can be called once: see Once. A pipe is opened now, and waits for its other end; its vectors are
// counted by what its header declares.
func OpenOnce(paths ...string) (*File, error) {
	if len(paths) == 0 {
		return nil, errors.New("dataset: no file is named")
	}
	f := &File{}
	for _, path := range paths {
		if err := f.add(path); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

// onceError is the error of a pipe that would have to be read twice.
func onceError(path string) error {
	return fmt.Errorf("dataset: %s is a pipe or a device, which can be read once, and it is needed more than once: "+
		"write it to a file first", path)
}

// Once reports whether Blocks can be called only once, since a pipe is among the files.
func (f *File) Once() bool {
	return slices.ContainsFunc(f.parts, func(p filePart) bool { return p.once })
}

// Close closes pipes that weren't read.
func (f *File) Close() error {
	var errs []error
	for i, p := range f.parts {
		if p.pipe != nil {
			errs = append(errs, p.pipe.Close())
			f.parts[i].pipe = nil
		}
	}
	return errors.Join(errs...)
}

// add looks at one more file.
func (f *File) add(path string) error {
	once := IsPipe(path)
	r, err := Open(path)
	if err != nil {
		return err
	}
	part := filePart{path: path, rows: r.Rows(), once: once}
	if err := f.admit(path, r); err != nil || !once {
		f.parts = append(f.parts, part)
		return errors.Join(err, r.Close())
	}
	part.pipe = r
	f.parts = append(f.parts, part)
	return nil
}

// admit takes the vectors of one more file into account.
func (f *File) admit(path string, r Reader) error {
	if r.Rows() == 0 {
		return fmt.Errorf("dataset: %s holds no vectors", path)
	}
	if len(f.parts) == 0 {
		f.dim, f.typ = r.Dim(), r.Type()
	} else {
		f.id += "\n"
	}
	if r.Dim() != f.dim || r.Type() != f.typ {
		return fmt.Errorf("dataset: %w: %s holds vectors of %d %v values, %s of %d %v: "+
			"files that are read together must be alike",
			vector.ErrDim, path, r.Dim(), r.Type(), f.parts[0].path, f.dim, f.typ)
	}
	if r.Rows() > math.MaxInt-f.rows {
		return fmt.Errorf("dataset: %s: more vectors than can be counted", path)
	}
	f.rows += r.Rows()
	id, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	_, file := splitFormat(path)
	file, _ = splitMember(file)
	if info, err := os.Stat(file); err == nil {
		id = fmt.Sprintf("%s %d %d", id, info.Size(), info.ModTime().UnixNano())
		if info.Mode().IsRegular() {
			sum, err := sampleSum(file, info.Size())
			if err != nil {
				return fmt.Errorf("dataset: %w", err)
			}
			id = fmt.Sprintf("%s %08x", id, sum)
		}
	}
	f.id += id
	return nil
}

// sampleSum is a checksum of pieces of a file, spread over all of it, the first and the last among them.
func sampleSum(path string, size int64) (uint32, error) {
	const pieces, piece = 64, 4 << 10
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	sum, b := uint32(0), make([]byte, piece)
	for i := range int64(pieces) {
		n, err := f.ReadAt(b, max(0, size-piece)*i/(pieces-1))
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		sum = crc32.Update(sum, crc32.MakeTable(crc32.Castagnoli), b[:n])
	}
	return sum, nil
}

// Rows is the number of vectors.
func (f *File) Rows() int { return f.rows }

// Dim is the number of values a vector.
func (f *File) Dim() int { return f.dim }

// Type is the type of values that Blocks gives.
func (f *File) Type() vector.Type { return f.typ }

// ID tells the file from others, and from itself once it has changed.
func (f *File) ID() string { return f.id }

// At returns the file that holds a row, and the number of the row in that file.
func (f *File) At(row int) (path string, of int) {
	for _, p := range f.parts[:len(f.parts)-1] {
		if row < p.rows {
			return p.path, row
		}
		row -= p.rows
	}
	return f.parts[len(f.parts)-1].path, row
}

// Blocks calls fn with all rows in order, first being the number of a block's first row. The rows of a block are of one
// file. A block isn't valid after fn.
func (f *File) Blocks(ctx context.Context, fn func(first int, rows vector.Matrix) error) error {
	size := f.dim * f.typ.Size()
	block := make([]byte, max(1, min(f.rows, blockBytes/size))*size)
	first := 0
	for i := range f.parts {
		p := &f.parts[i]
		if err := f.readPart(ctx, p, first, block, fn); err != nil {
			return err
		}
		first += p.rows
	}
	return nil
}

// readPart calls fn with the rows of one file, which must still be as it was when it was looked at.
func (f *File) readPart(ctx context.Context, p *filePart, first int, block []byte, fn func(first int, rows vector.Matrix) error) error {
	r, err := p.open()
	if err != nil {
		return err
	}
	defer r.Close()
	if r.Rows() != p.rows || r.Dim() != f.dim || r.Type() != f.typ {
		return fmt.Errorf("dataset: %s has changed: it holds %d × %d %v values now, it held %d × %d %v",
			p.path, r.Rows(), r.Dim(), r.Type(), p.rows, f.dim, f.typ)
	}
	read := r.Read
	if p.once {
		read = func(dst []byte) (int, error) { return readWithin(ctx, r, dst) }
	}
	for ctx.Err() == nil {
		n, err := read(block)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		rows, err := vector.FromBytes(block, f.typ, n, f.dim, 0)
		if err != nil {
			return fmt.Errorf("dataset: %s: %w", p.path, err)
		}
		if err := fn(first, rows); err != nil {
			return err
		}
		first += n
	}
	return ctx.Err()
}

// open opens the part again, or hands out the pipe that it is, once.
func (p *filePart) open() (Reader, error) {
	if !p.once {
		return Open(p.path)
	}
	if p.pipe == nil {
		return nil, onceError(p.path)
	}
	r := p.pipe
	p.pipe = nil
	return r, nil
}

// readWithin is r.Read that returns when ctx ends, though a pipe has nothing to give. r and
// dst must not be used after that.
func readWithin(ctx context.Context, r Reader, dst []byte) (int, error) {
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	go func() {
		n, err := r.Read(dst)
		done <- result{n, err}
	}()
	select {
	case got := <-done:
		return got.n, got.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
