package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale/collection"
)

func collectionSnapshot() *cobra.Command {
	var at openFlags
	c := &cobra.Command{
		Use:   "snapshot COLLECTION DIR",
		Short: "Write a collection as it is now to another place",
		Long: `Snapshot writes a collection as it is now to DIR, where nothing may be. DIR appears whole or not at all.
It is a collection itself, which verify checks and others read. Files that never change are the same
ones under another name where the file system allows that, so that a snapshot takes little room at
first; to keep it from what befalls the disk, copy it to another one.`,
		Example: "  shale collection snapshot my.docs backups/monday",
		Args:    collectionAndDir,
	}
	at.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return withCollection(c, &at, args[0], func(x *collection.Collection) error {
			if err := x.Snapshot(c.Context(), args[1]); err != nil {
				return err
			}
			n, err := x.Count()
			if err != nil {
				return err
			}
			return tell(c, false, nil, "%s: %s", args[1], many(n, "document"))
		})
	}
	return c
}

func collectionRestore() *cobra.Command {
	c := &cobra.Command{
		Use:   "restore SNAPSHOT COLLECTION",
		Short: "Make a collection of a snapshot",
		Long: `Restore copies a snapshot, which stays as it is, to COLLECTION, where nothing may be, and verifies it. If
something is wrong with it nothing is left of the copy.`,
		Example: "  shale collection restore backups/monday my.docs",
		Args:    collectionAndDir,
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := collection.Restore(c.Context(), args[0], args[1]); err != nil {
			return err
		}
		return tell(c, false, nil, "%s: restored from %s", args[1], args[0])
	}
	return c
}

// collectionAndDir is the check of commands that take two directories.
func collectionAndDir(_ *cobra.Command, args []string) error {
	if len(args) != 2 {
		return errors.New("name two directories: the one to read, and the one to make")
	}
	return nil
}
