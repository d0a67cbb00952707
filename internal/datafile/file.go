package datafile

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

	"github.com/shale-search/shale/internal/dataname"
	"github.com/shale-search/shale/vector"
)

// blockBytes is the size of the blocks in which File reads.
const blockBytes = 16 << 20

// File is the vectors of one or several files, one file after another. It is a shale.Source. It isn't safe for
// concurrent use.
type File struct {
	parts     []filePart
	rows, dim int
	typ       vector.Type
	id        string

	reading reader // of the part that Read reads, or nil
	at      int    // number of that part, or of the next
}

// filePart is one of the files.
type filePart struct {
	path string
	rows int
	pipe reader // an open pipe that wasn't read yet
	once bool   // it is a pipe
}

// Open examines files of vectors and returns them as one. Each must hold at least one vector, and all must have the
// same type and dimension. Open doesn't keep them open: their vectors can be read any number of times.
//
// A file's format follows from its extension or else from its first bytes. A format before the path, as in
// fvecs:base.bin, says it instead. A member after the path, as in base.npz:rows or base.parquet:embedding, names an
// array or a column.
//
// Pipes are an error, because they can be read only once: see OpenOnce.
func Open(paths ...string) (*File, error) {
	for _, path := range paths {
		if dataname.IsPipe(path) {
			return nil, onceError(path)
		}
	}
	return OpenOnce(paths...)
}

// OpenOnce is like Open, but it also accepts pipes and standard input, which has the name "-". If there is one, the
// vectors can be read only once. OpenOnce waits until a pipe has a writer, and takes the number of its vectors from its
// header. The formats npy, fbin, u8bin and i8bin are read as they come; other formats are first read into memory, up to
// 256 MiB.
//
// The caller must call Close.
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

// onceError returns the error of a pipe that would have to be read twice.
func onceError(path string) error {
	return fmt.Errorf("dataset: %s is a pipe or a device, which can be read once, and it is needed more than once: "+
		"write it to a file first", path)
}

// Once reports whether the rows can be read only once, because a pipe is among the files.
func (f *File) Once() bool {
	return slices.ContainsFunc(f.parts, func(p filePart) bool { return p.once })
}

// Close closes what is still open: pipes that weren't read, and the file that Read is at.
func (f *File) Close() error {
	var errs []error
	if f.reading != nil {
		errs = append(errs, f.reading.Close())
		f.reading = nil
	}
	for i, p := range f.parts {
		if p.pipe != nil {
			errs = append(errs, p.pipe.Close())
			f.parts[i].pipe = nil
		}
	}
	return errors.Join(errs...)
}

// add examines one more file.
func (f *File) add(path string) error {
	once := dataname.IsPipe(path)
	r, err := openReader(path)
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

// admit adds the rows of one more file, which must be like those before.
func (f *File) admit(path string, r reader) error {
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
	file := dataname.File(path)
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

// sampleSum returns a checksum over pieces of a file that are spread evenly from its first to its last byte.
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

// Rows returns the number of vectors.
func (f *File) Rows() int { return f.rows }

// Dim returns the number of values of a vector.
func (f *File) Dim() int { return f.dim }

// Type returns the type of the values that Blocks and Read return. Doubles are read as Float32.
func (f *File) Type() vector.Type { return f.typ }

// ID identifies the files and their present contents: it changes if a file is replaced or modified.
func (f *File) ID() string { return f.id }

// At returns the path of the file that holds a row, and the number of the row in that file.
func (f *File) At(row int) (path string, of int) {
	for _, p := range f.parts[:len(f.parts)-1] {
		if row < p.rows {
			return p.path, row
		}
		row -= p.rows
	}
	return f.parts[len(f.parts)-1].path, row
}

// Blocks calls fn with all rows in order, block by block; first is the number of a block's first row. A block never
// spans two files, and fn must not keep it.
func (f *File) Blocks(ctx context.Context, fn func(first int, rows vector.Matrix) error) error {
	size := f.dim * f.typ.Size()
	block := make([]byte, max(1, min(f.rows, blockBytes/size))*size)
	first := 0
	for i := range f.parts {
		if err := f.readPart(ctx, i, first, block, fn); err != nil {
			return err
		}
		first += f.parts[i].rows
	}
	return nil
}

// Read fills dst with as many of the next rows as fit, packed and little-endian, and returns their number. One call
// reads from one file only. After the last row it returns 0 and io.EOF; if dst holds no whole row it returns
// io.ErrShortBuffer. Read and Blocks don't share a position. The caller must call Close.
func (f *File) Read(dst []byte) (rows int, err error) {
	for {
		if f.reading == nil {
			if f.at == len(f.parts) {
				return 0, io.EOF
			}
			if f.reading, err = f.openPart(f.at); err != nil {
				return 0, err
			}
		}
		rows, err = f.reading.Read(dst)
		if !errors.Is(err, io.EOF) {
			return rows, err
		}
		done := f.reading
		f.reading = nil
		f.at++
		if err := done.Close(); err != nil {
			return 0, err
		}
	}
}

// openPart opens part i, which must still be as it was when it was examined.
func (f *File) openPart(i int) (reader, error) {
	p := &f.parts[i]
	r, err := p.open()
	if err != nil {
		return nil, err
	}
	if r.Rows() != p.rows || r.Dim() != f.dim || r.Type() != f.typ {
		err := fmt.Errorf("dataset: %s has changed: it holds %d × %d %v values now, it held %d × %d %v",
			p.path, r.Rows(), r.Dim(), r.Type(), p.rows, f.dim, f.typ)
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// readPart calls fn with the rows of part i.
func (f *File) readPart(ctx context.Context, i, first int, block []byte, fn func(int, vector.Matrix) error) error {
	p := &f.parts[i]
	r, err := f.openPart(i)
	if err != nil {
		return err
	}
	defer r.Close()
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

// open opens the file. A pipe is open already and can be taken only once.
func (p *filePart) open() (reader, error) {
	if !p.once {
		return openReader(p.path)
	}
	if p.pipe == nil {
		return nil, onceError(p.path)
	}
	r := p.pipe
	p.pipe = nil
	return r, nil
}

// readWithin calls r.Read, and returns early if ctx ends while a pipe has nothing to read. After that r and dst must
// not be used.
func readWithin(ctx context.Context, r reader, dst []byte) (int, error) {
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
