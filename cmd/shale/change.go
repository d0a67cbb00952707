package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/vector"
)

// changeReport tells what add, delete and undelete did.
type changeReport struct {
	Index     string  `json:"index"`
	Added     int     `json:"added"`   // new labels
	Updated   int     `json:"updated"` // labels that were there and got new vectors
	Deleted   int     `json:"deleted"` // labels marked deleted
	Restored  int     `json:"undeleted"`
	Missing   int     `json:"missing"` // labels to delete or undelete that weren't there, or were so already
	Rows      int     `json:"rows"`    // now, those deleted included
	Gone      int     `json:"rows_deleted"`
	Seconds   float64 `json:"seconds"` // without reading and writing files
	FileBytes int64   `json:"file_bytes"`
}

// save writes the index back and tells about it.
func (r *changeReport) save(c *cobra.Command, index *shale.Index) error {
	if err := index.Save(c.Context(), r.Index, shale.SaveOptions{}); err != nil {
		return err
	}
	r.Gone = index.Deleted()
	r.Rows = index.Len() + r.Gone
	var err error
	r.FileBytes, err = store.SizeOnDisk(r.Index)
	return err
}

func addCommand() *cobra.Command {
	var where indexFlags
	var input, labelFiles []string
	var threads int
	var asJSON bool
	c := &cobra.Command{
		Use:   "add INDEX --input FILE",
		Short: "Add vectors to an index, or give labels new vectors",
		Long: `Add puts a file's vectors into an index. Without --labels they are labelled by counting on from
the index's largest label. A label that is there already gets the new vector; if it was
deleted, it comes back. The index is replaced once the new one is complete. Commands that change
one index wait for each other; searches never wait.

In an index of several shards new vectors go to a file beside the shards, which stay as they are.`,
		Example: `  shale add my.index --input more.npy
  shale add my.index --input changed.npy --labels which.txt
  shale add index.bin --metric l2 --input more.fvecs`,
		Args: indexArg,
	}
	filesFlag(c, &input, "input", inputUsage)
	filesFlag(c, &labelFiles, "labels", "read their labels from `FILE`: text, one label a line, .npy or .parquet:COLUMN")
	c.Flags().IntVar(&threads, "threads", 0, "use `N` threads (default: all processors)")
	where.add(c)
	jsonFlag(c, &asJSON)
	required(c, "input")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := atLeast(c, "threads", threads, 0); err != nil {
			return err
		}
		index, err := where.openToChange(c, args[0])
		if err != nil {
			return err
		}
		defer index.Close()
		r := &changeReport{Index: args[0]}
		if err := r.add(c, index, input, labelFiles, threads); err != nil {
			return err
		}
		return tell(c, asJSON, r, "%s: %s added, %s updated; it holds %s, %s of them deleted",
			r.Index, many(r.Added, "vector"), count(r.Updated), count(r.Rows), count(r.Gone))
	}
	return c
}

func (r *changeReport) add(c *cobra.Command, index *shale.Index, input, labelFiles []string, threads int) error {
	rows, err := openRows(c.Context(), input)
	if err != nil {
		return err
	}
	defer rows.Close()
	if rows.Dim() != index.Dim() {
		return fmt.Errorf("%w: the vectors of %s have %d values, the index's %d", vector.ErrDim,
			rows, rows.Dim(), index.Dim())
	}
	labels, err := readRowLabels(c.Context(), labelFiles, rows.Rows())
	if err != nil {
		return err
	}
	before := index.Len() + index.Deleted()
	bar := newProgress(c.ErrOrStderr(), "adding", rows.Rows())
	r.Seconds, err = addRows(c.Context(), index, rows, labels, threads, bar.set)
	bar.end()
	if errors.Is(err, shale.ErrFull) {
		return fmt.Errorf("%w; where the disk has room, \"shale resize %s --capacity N\" makes room for N vectors",
			err, r.Index)
	}
	if err != nil {
		return err
	}
	r.Added = index.Len() + index.Deleted() - before
	r.Updated = rows.Rows() - r.Added
	return r.save(c, index)
}
