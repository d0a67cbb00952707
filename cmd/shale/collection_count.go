package main

import (
	"github.com/spf13/cobra"

	"github.com/shale-search/shale/internal/collection"
)

func collectionCount() *cobra.Command {
	var wait waitFlag
	c := &cobra.Command{
		Use:     "count COLLECTION",
		Short:   "Print the number of documents",
		Long:    "Count prints how many documents there are.",
		Example: "  shale collection count my.docs",
		Args:    collectionArg,
	}
	wait.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return withCollection(c, &wait, args[0], func(x *collection.Collection) error {
			n, err := x.Count()
			if err != nil {
				return err
			}
			return tell(c, false, nil, "%d", n)
		})
	}
	return c
}
