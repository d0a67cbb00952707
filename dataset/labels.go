package dataset

import (
	"github.com/shale-search/shale/internal/datafile"
	"github.com/shale-search/shale/search"
)

// ReadLabels reads labels from an npy or npz of integers, from a Parquet column of integers, as in ids.parquet:id, or
// from text with one label a line. In text, blank lines are skipped, and so is whatever follows a #.
func ReadLabels(path string) ([]uint64, error) { return datafile.ReadLabels(path) }

// ReadFilter reads a filter that allows the labels in a file: an npy or npz of integers, or of booleans indexed by
// label, a Parquet column of integers, a Roaring bitmap (.roaring, the portable format of 64 or 32 bits), or text as in
// ReadLabels.
func ReadFilter(path string) (*search.Filter, error) {
	set, _, err := datafile.ReadFilter(path)
	if err != nil {
		return nil, err
	}
	return search.FilterBitmap(set), nil
}

// ReadNeighbors reads the true neighbours of queries: for each query the labels of its k neighbours, nearest first. A
// query with fewer neighbours has −1 in the rest. The file is an ivecs, an npy or npz of integers, or an ibin, where
// distances may follow the labels.
func ReadNeighbors(path string) ([][]int64, error) { return datafile.ReadNeighbors(path) }

// WriteNeighbors writes the neighbours of queries: for each query their labels, nearest first, all of the same number.
// The extension chooses the format: .ivecs, .ibin or .npy.
func WriteNeighbors(path string, neighbors [][]int64) error {
	return datafile.WriteNeighbors(path, neighbors)
}
