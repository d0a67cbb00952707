package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/shale-search/shale/vector"
)

// blockBytes is the size of the blocks in which File reads.
const blockBytes = 16 << 20

// File is a file of vectors that can be read from front to back more than once.
type File struct {
	path      string
	rows, dim int
	typ       vector.Type
	id        string
}

// OpenFile looks at a file of at least one vector, as Open does. It keeps nothing open.
func OpenFile(path string) (*File, error) {
	r, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if r.Rows() == 0 {
		return nil, fmt.Errorf("dataset: %s holds no vectors", path)
	}
	f := &File{path: path, rows: r.Rows(), dim: r.Dim(), typ: r.Type()}
	if f.id, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	if info, err := os.Stat(path); err == nil { // a member of an archive has none of its own
		f.id = fmt.Sprintf("%s %d %d", f.id, info.Size(), info.ModTime().UnixNano())
	}
	return f, nil
}

// Rows is the number of vectors.
func (f *File) Rows() int { return f.rows }

// Dim is the number of values a vector.
func (f *File) Dim() int { return f.dim }

// Type is the type of values that Blocks gives.
func (f *File) Type() vector.Type { return f.typ }

// ID tells the file from others, and from itself once it has changed.
func (f *File) ID() string { return f.id }

// Blocks calls fn with all rows in order, first being the number of a block's first row. A block isn't valid after fn.
func (f *File) Blocks(ctx context.Context, fn func(first int, rows vector.Matrix) error) error {
	r, err := Open(f.path)
	if err != nil {
		return err
	}
	defer r.Close()
	size := f.dim * f.typ.Size()
	block := make([]byte, max(1, min(f.rows, blockBytes/size))*size)
	for first := 0; ctx.Err() == nil; {
		n, err := r.Read(block)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		rows, err := vector.FromBytes(block, f.typ, n, f.dim, 0)
		if err != nil {
			return fmt.Errorf("dataset: %s: %w", f.path, err)
		}
		if err := fn(first, rows); err != nil {
			return err
		}
		first += n
	}
	return ctx.Err()
}
