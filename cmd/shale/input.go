package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/datafile"
	"github.com/shale-search/shale/internal/dataname"
	"github.com/shale-search/shale/internal/documents"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// within is read that returns when ctx ends, though it waits for a pipe whose other end is silent, or not even open.
func within[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := read()
		done <- result{v, err}
	}()
	select {
	case got := <-done:
		return got.value, got.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// rowFile is files of vectors that follow each other and are read block by block: more than
// once, unless a pipe is among them.
type rowFile struct {
	*datafile.File
	paths []string
}

// openRows looks at files of at least one vector each, at those in folders and at those that patterns match. It keeps
// open only pipes.
func openRows(ctx context.Context, paths []string) (*rowFile, error) {
	files, err := documents.Expand(paths, documents.VectorExtensions)
	if err != nil {
		return nil, explainVectors(err, paths...)
	}
	paths = files
	f, err := within(ctx, func() (*datafile.File, error) { return datafile.OpenOnce(paths...) })
	if err != nil {
		return nil, explainVectors(err, paths...)
	}
	return &rowFile{f, paths}, nil
}

// String names the files.
func (f *rowFile) String() string { return strings.Join(f.paths, ", ") }

// labelFiles returns the names of a column of labels in each of the files.
func (f *rowFile) labelFiles(column string) ([]string, error) {
	var names []string
	for _, path := range f.paths {
		_, file, _ := dataname.Split(path)
		if dataname.IsPipe(path) || dataname.Extension(file) != ".parquet" {
			return nil, fmt.Errorf("%s has no column of labels, which .parquet has: give --labels", path)
		}
		names = append(names, file+":"+column)
	}
	return names, nil
}

// readQueriesOf reads a file of vectors that must have dim values each.
func readQueriesOf(ctx context.Context, path string, dim int) (vector.Matrix, error) {
	m, err := readQueries(ctx, path)
	if err == nil && m.Dim() != dim {
		return m, dimError(path, m.Dim(), dim)
	}
	return m, err
}

// readQueries reads a file of at least one vector.
func readQueries(ctx context.Context, path string) (vector.Matrix, error) {
	m, err := within(ctx, func() (vector.Matrix, error) { return datafile.ReadAll(path) })
	if err != nil {
		return m, explainVectors(err, path)
	}
	if m.Rows() == 0 {
		return m, fmt.Errorf("%s holds no vectors", path)
	}
	return m, nil
}

// dimError is the error of vectors that have another number of values than those of the index.
func dimError(path string, dim, index int) error {
	return fmt.Errorf("%w: the vectors of %s have %d values, the index's %d", vector.ErrDim, path, dim, index)
}

// readRowLabels reads one label for each of rows; without a path there are none.
func readRowLabels(ctx context.Context, paths []string, rows int) ([]uint64, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	labels, err := readLabels(ctx, paths)
	if err != nil {
		return nil, err
	}
	if len(labels) != rows {
		return nil, fmt.Errorf("%s: %d labels for %d vectors", strings.Join(paths, ", "), len(labels), rows)
	}
	return labels, nil
}

// readLabels reads the labels of several files, one file after another.
func readLabels(ctx context.Context, paths []string) (labels []uint64, err error) {
	for _, path := range paths {
		more, err := within(ctx, func() ([]uint64, error) { return datafile.ReadLabels(path) })
		if err != nil {
			return nil, err
		}
		labels = append(labels, more...)
	}
	return labels, nil
}

// filterFile is the labels that may be returned. Without one, it is nil, all may.
type filterFile struct {
	path string
	set  *roaring64.Bitmap
	mask int64 // the length of an array of booleans; −1: labels were listed
}

// readFilter reads the labels that may be returned; without a path there is no filter.
func readFilter(ctx context.Context, path string) (*filterFile, error) {
	if path == "" {
		return nil, nil
	}
	return within(ctx, func() (*filterFile, error) {
		set, mask, err := datafile.ReadFilter(path)
		return &filterFile{path, set, mask}, err
	})
}

// bytes is the memory that the filter takes.
func (f *filterFile) bytes() int64 {
	if f == nil {
		return 0
	}
	return int64(f.set.GetSizeInBytes())
}

// suit refuses a mask of booleans that hasn't one for each label of index up to the largest: it was made for another
// index, or before rows were added.
func (f *filterFile) suit(index *shale.Index) error {
	if f == nil || f.mask < 0 {
		return nil
	}
	last, ok, err := inside.Of(index).LargestLabel()
	if err != nil {
		return err
	}
	if (!ok && f.mask > 0) || (ok && uint64(f.mask)-1 != last) {
		return fmt.Errorf("%s: a mask of %s, and the index's largest label is %d: "+
			"it must have one for each label from 0 to that one",
			f.path, many(int(f.mask), "boolean"), last)
	}
	return nil
}

// filter is what searches take.
func (f *filterFile) filter() *search.Filter {
	if f == nil {
		return nil
	}
	return search.FilterBitmap(f.set)
}

// addRows puts a file's vectors into the index, block by block, and gives the seconds that it took without reading.
// labels may be nil.
func addRows(ctx context.Context, index *shale.Index, f *rowFile, labels []uint64, threads int,
	tell func(done int)) (float64, error) {
	seconds := 0.0
	err := f.Blocks(ctx, func(first int, rows vector.Matrix) error {
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
