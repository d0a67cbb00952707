package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

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
}

// OpenFile looks at a file of at least one vector, as Open does. It keeps nothing open.
func OpenFile(path string) (*File, error) { return OpenFiles(path) }

// OpenFiles is OpenFile for the vectors of several files, one file after another. All must hold vectors of the same type and
// as many values.
func OpenFiles(paths ...string) (*File, error) {
	if len(paths) == 0 {
		return nil, errors.New("dataset: no file is named")
	}
	f := &File{}
	for _, path := range paths {
		if err := f.add(path); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// add looks at one more file.
func (f *File) add(path string) error {
	r, err := Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	if r.Rows() == 0 {
		return fmt.Errorf("dataset: %s holds no vectors", path)
	}
	if len(f.parts) == 0 {
		f.dim, f.typ = r.Dim(), r.Type()
	} else {
		f.id += "\n"
	}
	if r.Dim() != f.dim || r.Type() != f.typ {
		return fmt.Errorf("dataset: %w: %s holds vectors of %d %v values, %s of %d %v: files that are read together must be alike",
			vector.ErrDim, path, r.Dim(), r.Type(), f.parts[0].path, f.dim, f.typ)
	}
	if r.Rows() > math.MaxInt-f.rows {
		return fmt.Errorf("dataset: %s: more vectors than can be counted", path)
	}
	f.parts = append(f.parts, filePart{path, r.Rows()})
	f.rows += r.Rows()
	id, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	file, _ := splitMember(path)
	if info, err := os.Stat(file); err == nil {
		id = fmt.Sprintf("%s %d %d", id, info.Size(), info.ModTime().UnixNano())
	}
	f.id += id
	return nil
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

// Blocks calls fn with all rows in order, first being the number of a block's first row. The rows of a block are of one file.
// A block isn't valid after fn.
func (f *File) Blocks(ctx context.Context, fn func(first int, rows vector.Matrix) error) error {
	size := f.dim * f.typ.Size()
	block := make([]byte, max(1, min(f.rows, blockBytes/size))*size)
	first := 0
	for _, p := range f.parts {
		if err := f.readPart(ctx, p, first, block, fn); err != nil {
			return err
		}
		first += p.rows
	}
	return nil
}

// readPart calls fn with the rows of one file, which must still be as it was when it was looked at.
func (f *File) readPart(ctx context.Context, p filePart, first int, block []byte, fn func(first int, rows vector.Matrix) error) error {
	r, err := Open(p.path)
	if err != nil {
		return err
	}
	defer r.Close()
	if r.Rows() != p.rows || r.Dim() != f.dim || r.Type() != f.typ {
		return fmt.Errorf("dataset: %s has changed: it holds %d × %d %v values now, it held %d × %d %v",
			p.path, r.Rows(), r.Dim(), r.Type(), p.rows, f.dim, f.typ)
	}
	for ctx.Err() == nil {
		n, err := r.Read(block)
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
