package main

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/store"
)

type resizeReport struct {
	Index     string `json:"index"`
	Capacity  int    `json:"capacity"`
	FileBytes int64  `json:"file_bytes"`
}

func resizeCommand() *cobra.Command {
	var capacity int
	var asJSON bool
	var wait waitFlag
	c := &cobra.Command{
		Use:   "resize INDEX --capacity N",
		Short: "Make a live file larger or smaller",
		Long: `Resize gives a live file, which "shale build --live" made, room for N vectors, including those
deleted. It copies the index to another file, which takes the place of the first once it is
complete: the disk needs room for both. Other indexes have no capacity.

"shale add" does this by itself when a live file is full: it makes room for half as many again.`,
		Example: "  shale resize my.live --capacity 2000000",
		Args:    indexArg,
	}
	c.Flags().IntVar(&capacity, "capacity", 0, "make room for `N` vectors, no fewer than there are")
	wait.add(c)
	jsonFlag(c, &asJSON)
	required(c, "capacity")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := cmp.Or(atLeast(c, "capacity", capacity, 1), wait.check(c)); err != nil {
			return err
		}
		r := &resizeReport{Index: args[0], Capacity: capacity}
		if err := r.resize(c, &wait); err != nil {
			return explain(err, args[0])
		}
		return tell(c, asJSON, r, "%s: room for %s, %s on disk", r.Index, many(r.Capacity, "vector"), size(r.FileBytes))
	}
	return c
}

func (r *resizeReport) resize(c *cobra.Command, wait *waitFlag) error {
	kind, err := location.Detect(r.Index)
	if err != nil {
		return err
	}
	if kind != location.Live {
		return fmt.Errorf("%s is a %s, which has no capacity: only a live file is resized", r.Index, kind)
	}
	lock := wait.options(c, r.Index)
	o := shale.OpenOptions{Wait: lock.Wait, Waiting: lock.Waiting}
	index, err := shale.Open(c.Context(), r.Index, o)
	if err != nil {
		return err
	}
	if err := errors.Join(index.Resize(r.Capacity), index.Close()); err != nil {
		return fmt.Errorf("resize %s: %w", r.Index, err)
	}
	r.FileBytes, err = store.SizeOnDisk(r.Index)
	return err
}
