package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale/collection"
)

func collectionCompact() *cobra.Command {
	var at openFlags
	c := &cobra.Command{
		Use:   "compact COLLECTION",
		Short: "Merge all segments and drop what was deleted",
		Long: `Compact merges all segments of a collection into one, drops the rows of documents that were deleted or
overwritten, and gives their room on the disk back. Smaller merges happen by themselves while a
collection is open. After an interruption the collection is whole, and as large as before.`,
		Example: "  shale collection compact my.docs",
		Args:    collectionArg,
	}
	at.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return withCollection(c, &at, args[0], func(x *collection.Collection) error {
			bar := newProgress(c.ErrOrStderr(), "compacting", 0)
			err := x.Compact(c.Context())
			bar.end()
			if err != nil {
				return err
			}
			n, err := x.Count()
			if err != nil {
				return err
			}
			return tell(c, false, nil, "%s: %s", args[0], many(n, "document"))
		})
	}
	return c
}

// mergeAll merges segments until none are left that should be merged, and shows how far that has come.
func mergeAll(c *cobra.Command, x *collection.Collection) error {
	bar := newProgress(c.ErrOrStderr(), "merging", 0)
	defer bar.end()
	merged := make(chan error, 1)
	go func() { merged <- x.Merge(c.Context()) }()
	for {
		select {
		case err := <-merged:
			return err
		case <-time.After(time.Second):
		}
		info, err := x.Info()
		if err == nil && info.Merging != nil && info.Merging.Total > 0 {
			bar.setOf(info.Merging.Done, info.Merging.Total)
		}
	}
}
