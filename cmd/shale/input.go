package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/dataset"
)

// rowFile is files of vectors that follow each other and are read block by block, more than once.
type rowFile struct {
	*dataset.File
	paths []string
}

// openRows looks at files of at least one vector each. It keeps nothing open.
func openRows(paths []string) (*rowFile, error) {
	f, err := dataset.OpenFiles(paths...)
	if err != nil {
		return nil, err
	}
	return &rowFile{f, paths}, nil
}

// String names the files.
func (f *rowFile) String() string { return strings.Join(f.paths, ", ") }

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

// readRowLabels reads one label for each of rows; without a path there are none.
func readRowLabels(paths []string, rows int) ([]uint64, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	labels, err := readLabels(paths)
	if err != nil {
		return nil, err
	}
	if len(labels) != rows {
		return nil, fmt.Errorf("%s: %d labels for %d vectors", strings.Join(paths, ", "), len(labels), rows)
	}
	return labels, nil
}

// readLabels reads the labels of several files, one file after another.
func readLabels(paths []string) (labels []uint64, err error) {
	for _, path := range paths {
		more, err := dataset.ReadLabels(path)
		if err != nil {
			return nil, err
		}
		labels = append(labels, more...)
	}
	return labels, nil
}

// readFilter reads the labels that may be returned by searches of index; without a path all may. A mask of booleans must have
// one for each label up to the largest: another was made for another index, or before rows were added.
func readFilter(path string, index *shale.Index) (*shale.Filter, error) {
	if path == "" {
		return nil, nil
	}
	set, mask, err := dataset.ReadFilterOrMask(path)
	if err != nil {
		return nil, err
	}
	if mask >= 0 {
		last, ok, err := index.LargestLabel()
		if err != nil {
			return nil, err
		}
		if (!ok && mask > 0) || (ok && uint64(mask)-1 != last) {
			return nil, fmt.Errorf("%s: a mask of %s, and the index's largest label is %d: it must have one for each label from 0 to that one",
				path, many(int(mask), "boolean"), last)
		}
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
			path, row := f.At(first)
			return fmt.Errorf("%s, from row %d on: %w", path, row, err)
		}
		return nil
	})
	return seconds, err
}
