package main

import (
	"context"
	"fmt"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/dataset"
)

// rowFile is a file of vectors that is read block by block, more than once.
type rowFile struct {
	*dataset.File
	path string
}

// openRows looks at a file of at least one vector. It keeps nothing open.
func openRows(path string) (*rowFile, error) {
	f, err := dataset.OpenFile(path)
	if err != nil {
		return nil, err
	}
	return &rowFile{f, path}, nil
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
	err := f.Blocks(ctx, func(first int, rows shale.Matrix) error {
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
