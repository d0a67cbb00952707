package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale"
)

// indexFlags say what an hnswlib index doesn't.
type indexFlags struct {
	metric string
	dim    int
	memory string
}

// addMemory is for commands that only search.
func (f *indexFlags) addMemory(c *cobra.Command) {
	c.Flags().StringVar(&f.memory, "memory", "", "keep within `SIZE`, as in 256MiB: rows that don't fit are read from disk (default: all in memory)")
}

func (f *indexFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.metric, "metric", "", "take `METRIC` (l2, ip or cosine) for an hnswlib index, whose file doesn't tell")
	c.Flags().IntVar(&f.dim, "dim", 0, "expect `N` values a vector (default: whatever the index has)")
}

// open opens the index at path.
func (f *indexFlags) open(c *cobra.Command, path string) (*shale.Index, error) {
	if err := atLeast(c, "dim", f.dim, 0); err != nil {
		return nil, err
	}
	o := shale.OpenOptions{Dim: f.dim}
	var err error
	if o.Memory, err = parseSize(c, "memory", f.memory); err != nil {
		return nil, err
	}
	if f.metric != "" {
		if o.Metric, err = parseMetric(c, f.metric); err != nil {
			return nil, err
		}
	} else if kind, err := shale.Detect(path); err == nil && kind == shale.Hnswlib {
		return nil, usagef(c, "%s is an hnswlib index, which doesn't hold its metric: give --metric l2, ip or cosine", path)
	}
	index, err := shale.Open(c.Context(), path, o)
	if err != nil {
		return nil, explain(err, path)
	}
	if f.metric != "" && index.Metric() != o.Metric {
		index.Close()
		return nil, fmt.Errorf("%s was built with --metric %s, not %s", path, index.Metric(), o.Metric)
	}
	return index, nil
}

// openToChange opens an index that can be changed.
func (f *indexFlags) openToChange(c *cobra.Command, path string) (*shale.Index, error) {
	index, err := f.open(c, path)
	if err == nil && index.Graph() == nil {
		index.Close()
		return nil, fmt.Errorf("%s: %w", path, shale.ErrReadOnly)
	}
	return index, err
}

// explain adds what to do about an index that isn't there.
func explain(err error, path string) error {
	if errors.Is(err, fs.ErrNotExist) {
		if _, statErr := os.Stat(path); statErr != nil {
			return fmt.Errorf("%s: there is no such index: build one with \"shale build --output %s\"", path, path)
		}
	}
	return err
}

// sizeOnDisk is the bytes of an index file, or of all files of an index directory.
func sizeOnDisk(path string) (int64, error) {
	total := int64(0)
	err := filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("size of %s: %w", path, err)
	}
	return total, nil
}
