package datafile_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/datafile"
	"github.com/shale-search/shale/search"
)

// TestWriteRangeResults: results of several blocks follow each other, more than stay in memory, and a block may hold
// none.
func TestWriteRangeResults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "near.npz")
	var labels []uint64
	offsets := []int{0}
	err := datafile.WriteRangeResults(path, 2003, func(put func(*search.RangeResults) error) error {
		for _, lengths := range [][]int{{0, 5, 0}, make([]int, 1000), slices.Repeat([]int{70}, 1000)} {
			block := &search.RangeResults{Offsets: []int{0}}
			for _, n := range lengths {
				for range n {
					block.Labels = append(block.Labels, uint64(3*len(labels)))
					block.Distances = append(block.Distances, float32(len(labels)))
					labels = append(labels, uint64(3*len(labels)))
				}
				block.Offsets = append(block.Offsets, len(block.Labels))
				offsets = append(offsets, len(labels))
			}
			if err := put(block); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := datafile.ReadLabels("npz:" + path + ":labels")
	if err != nil || !slices.Equal(got, labels) {
		t.Errorf("%d labels, want %d, %v", len(got), len(labels), err)
	}
	at, err := datafile.ReadLabels("npz:" + path + ":offsets")
	if err != nil || len(at) != len(offsets) {
		t.Fatalf("%d offsets, want %d, %v", len(at), len(offsets), err)
	}
	for i, o := range offsets {
		if at[i] != uint64(o) {
			t.Fatalf("offset %d is %d, want %d", i, at[i], o)
		}
	}
}

func TestWriteRangeResultsRefuses(t *testing.T) {
	dir, broken := t.TempDir(), errors.New("broken")
	none := func(put func(*search.RangeResults) error) error { return nil }
	for name, err := range map[string]error{
		"too few": datafile.WriteRangeResults(filepath.Join(dir, "few.npz"), 1, none),
		"format":  datafile.WriteRangeResults(filepath.Join(dir, "near.npy"), 0, none),
		"source": datafile.WriteRangeResults(filepath.Join(dir, "source.npz"), 0,
			func(func(*search.RangeResults) error) error { return broken }),
	} {
		if err == nil || name == "source" && !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
