package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/store"
)

type convertReport struct {
	Source      string `json:"source"`
	Destination string `json:"destination"`
	Format      string `json:"format"`
	Rows        int    `json:"rows"`
	FileBytes   int64  `json:"file_bytes"`
}

func convertCommand() *cobra.Command {
	var where indexFlags
	var to string
	var replace, asJSON bool
	c := &cobra.Command{
		Use:   "convert SRC DST --to shale|hnswlib|graph|fork-shards",
		Short: "Write an index in another format",
		Long: `Convert reads an index and writes it in another format, graph and all. Only where several shards
become one graph is that built, of the vectors that aren't deleted: a directory keeps the shards,
and other formats have none. Nothing else is built anew.
shale gives a directory, or one file if DST ends in .shale; hnswlib gives an index.bin, whose
vectors are fp32: the rows kept or, where none are, what their codes stand for. An index.bin and
a .graph don't hold their metric, so it is to be given.

graph gives a .graph of hnswlib-mmap, which has links and labels alone, and fork-shards a directory
of such shards: one, or those of the directory that SRC is. Vectors stay in a file of their own,
row n being that of label n, or, where labels aren't the numbers of rows, the n-th that was added.
--to hnswlib needs them where SRC is external: name the file by --vectors.

With --replace an index of the same kind that is at DST already is replaced once the new one is
complete; SRC itself, live files and directories that hold anything else never are. Symbolic links
are followed. hnswlib and graph are also written to a pipe or device.`,
		Example: `  shale convert index.bin my.index --to shale --metric cosine
  shale convert my.index index.bin --to hnswlib
  shale convert my.index my.graph --to graph
  shale convert shards/ one.graph --to graph
  shale convert my.graph index.bin --to hnswlib --metric l2 --vectors vectors.npy`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef(c, "name SRC and DST, not %d paths", len(args))
			}
			return nil
		},
	}
	c.Flags().StringVar(&to, "to", "", "write the index in `FORMAT`: "+targetFormats)
	c.Flags().BoolVar(&replace, "replace", false, "replace an index of the same kind that is there already")
	where.add(c)
	where.addVectors(c)
	jsonFlag(c, &asJSON)
	required(c, "to")
	c.RunE = func(c *cobra.Command, args []string) error {
		format, err := targetFormat(c, to, args[1])
		if err != nil {
			return err
		}
		if where.vectors != "" && format != shale.Hnswlib && format != shale.Directory {
			return usagef(c,
				"--vectors goes with --to hnswlib, and with --to shale of a directory: a %s names no file of vectors", format)
		}
		r, err := convert(c, &where, args[0], args[1], shale.SaveOptions{Format: format, Replace: replace})
		if err != nil {
			return err
		}
		return tell(c, asJSON, r, "%s: %s as %s, %s", r.Destination, many(r.Rows, "row"), r.Format, size(r.FileBytes))
	}
	return c
}

const targetFormats = "shale, hnswlib, graph or fork-shards"

func targetFormat(c *cobra.Command, to, path string) (shale.Format, error) {
	switch {
	case to == "hnswlib":
		return shale.Hnswlib, nil
	case to == "shale" && strings.EqualFold(filepath.Ext(path), ".shale"):
		return shale.File, nil
	case to == "shale":
		return shale.Directory, nil
	case to == "graph":
		return shale.Graph, nil
	case to == "fork-shards":
		return shale.ForkShards, nil
	}
	return location.Auto, usagef(c, "--to %s is not a format: give %s", to, targetFormats)
}

func convert(c *cobra.Command, where *indexFlags, from, to string, o shale.SaveOptions) (*convertReport, error) {
	if err := checkConversion(c, from, to); err != nil {
		return nil, err
	}
	if err := where.wait.check(c); err != nil {
		return nil, err
	}
	lock, err := location.Reserve(c.Context(), to,
		location.ReserveOptions{Format: o.Format, Replace: o.Replace, Lock: where.wait.options(c, to)})
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s already exists: give --replace to write over it, or another DST", to)
	}
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if isStream(to) {
		if err := checkOutput(c, "DST", to); err != nil {
			return nil, err
		}
	}
	where.withoutVectors = o.Format != shale.Hnswlib
	index, err := where.openByShard(c, from)
	if err != nil {
		return nil, err
	}
	defer index.Close()
	rows := index.Len() + index.Deleted()
	bar := newProgress(c.ErrOrStderr(), "converting", index.Len())
	o.Vectors = vectorsOf(where, index)
	inside.Hold(&o, lock)
	o.Progress = func(done, total int) {
		bar.set(done)
		rows = total
	}
	err = index.Save(c.Context(), to, o)
	bar.end()
	if err != nil {
		return nil, err
	}
	r := &convertReport{Source: from, Destination: to, Format: o.Format.String(), Rows: rows}
	r.FileBytes, err = store.SizeOnDisk(to)
	return r, err
}

// vectorsOf is the file that an external index directory is to name.
func vectorsOf(where *indexFlags, index *shale.Index) string {
	if !inside.Of(index).External() {
		return ""
	}
	return cmp.Or(where.vectors, inside.Of(index).VectorFile())
}
