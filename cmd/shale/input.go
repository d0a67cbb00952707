package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/dataset"
	"github.com/shale-search/shale/vector"
)

// blockBytes is the size of the blocks in which files are read.
const blockBytes = 16 << 20

// rowFile is a file of vectors that is read block by block.
type rowFile struct {
	dataset.Reader
	path string
}

// openRows opens a file of at least one vector.
func openRows(path string) (*rowFile, error) {
	r, err := dataset.Open(path)
	if err != nil {
		return nil, err
	}
	if r.Rows() == 0 {
		r.Close()
		return nil, fmt.Errorf("%s holds no vectors", path)
	}
	return &rowFile{r, path}, nil
}

// blocks calls fn with all rows in order; first is the number of a block's first row. A block isn't valid after fn.
func (f *rowFile) blocks(ctx context.Context, fn func(first int, rows shale.Matrix) error) error {
	size := f.Dim() * f.Type().Size()
	block := make([]byte, max(1, min(f.Rows(), blockBytes/size))*size)
	for first := 0; ctx.Err() == nil; {
		n, err := f.Read(block)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		rows, err := vector.FromBytes(block, f.Type(), n, f.Dim(), 0)
		if err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
		if err := fn(first, rows); err != nil {
			return err
		}
		first += n
	}
	return ctx.Err()
}

// sampleBytes bounds the rows that a storage is chosen by.
const sampleBytes = 64 << 20

// sample reads about n rows from places spread over the file, as float32.
func (f *rowFile) sample(ctx context.Context, n int) (shale.Matrix, error) {
	n = min(n, f.Rows())
	data := make([]float32, n*f.Dim())
	taken := 0
	err := f.blocks(ctx, func(first int, rows shale.Matrix) error {
		for ; taken < n; taken++ {
			at := int(int64(taken)*int64(f.Rows())/int64(n)) - first
			if at >= rows.Rows() {
				break
			}
			rows.Decode(at, data[taken*f.Dim():(taken+1)*f.Dim()])
		}
		return nil
	})
	if err != nil {
		return shale.Matrix{}, err
	}
	return vector.Of(data[:taken*f.Dim()], f.Dim())
}

// settleStorage decides what AutoStorage leaves open by a sample of the file, and tells why.
func settleStorage(ctx context.Context, o *shale.Options, path string) (string, error) {
	var rows shale.Matrix // none where there is nothing to choose
	if o.Storage == shale.AutoStorage {
		f, err := openRows(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		if rows, err = f.sample(ctx, max(1, min(4096, sampleBytes/(4*f.Dim())))); err != nil {
			return "", err
		}
	}
	s, err := shale.Suggest(rows, *o)
	if err != nil {
		return "", err
	}
	o.Storage = s.Storage
	return s.Why, nil
}

// settleKeep decides what AutoKeep leaves open, for which the whole file is read where the metric doesn't tell.
func settleKeep(ctx context.Context, o *shale.Options, path string) error {
	if o.Keep != shale.AutoKeep || o.Storage == shale.Float32 || o.Storage == shale.Float16 || o.Metric == shale.Cosine {
		return nil
	}
	f, err := openRows(path)
	if err != nil {
		return err
	}
	defer f.Close()
	codes, err := shale.HasCodes(o.Storage, f.Dim())
	if err != nil || !codes {
		return err
	}
	enough, safe := errors.New("enough"), true
	err = f.blocks(ctx, func(_ int, rows shale.Matrix) error {
		if safe = shale.HalfIsSafe(rows, o.Metric); !safe || f.Type() != vector.Float32 {
			return enough // the rest can't change it
		}
		return nil
	})
	if err != nil && err != enough {
		return err
	}
	o.Keep = shale.KeepFloat32
	if safe {
		o.Keep = shale.KeepFloat16
	}
	return nil
}

// readQueries reads a file of vectors that must have dim values each.
func readQueries(path string, dim int) (shale.Matrix, error) {
	m, err := dataset.ReadAll(path)
	if err != nil {
		return m, err
	}
	if m.Rows() == 0 {
		return m, fmt.Errorf("%s holds no vectors", path)
	}
	if m.Dim() != dim {
		return m, fmt.Errorf("%w: the vectors of %s have %d values, the index's %d", shale.ErrDim, path, m.Dim(), dim)
	}
	return m, nil
}

// readLabels reads one label for each of rows; without a path there are none.
func readLabels(path string, rows int) ([]uint64, error) {
	if path == "" {
		return nil, nil
	}
	labels, err := dataset.ReadLabels(path)
	if err != nil {
		return nil, err
	}
	if len(labels) != rows {
		return nil, fmt.Errorf("%s holds %d labels for %d vectors", path, len(labels), rows)
	}
	return labels, nil
}

// readFilter reads the labels that may be returned; without a path all may.
func readFilter(path string) (*shale.Filter, error) {
	if path == "" {
		return nil, nil
	}
	set, err := dataset.ReadFilter(path)
	if err != nil {
		return nil, err
	}
	return shale.FilterBitmap(set), nil
}

// addRows puts a file's vectors into the index, block by block, and gives the seconds that it took without reading.
// labels may be nil.
func addRows(ctx context.Context, index *shale.Index, f *rowFile, labels []uint64, threads int, tell func(done int)) (float64, error) {
	seconds := 0.0
	err := f.blocks(ctx, func(first int, rows shale.Matrix) error {
		o := shale.AddOptions{Threads: threads, Progress: func(done int) { tell(first + done) }}
		if labels != nil {
			o.Labels = labels[first : first+rows.Rows()]
		}
		took, err := timed(func() error { return index.AddBatch(ctx, rows, o) })
		seconds += took
		if err != nil {
			return fmt.Errorf("%s, from row %d on: %w", f.path, first, err)
		}
		return nil
	})
	return seconds, err
}
