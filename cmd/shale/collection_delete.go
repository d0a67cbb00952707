package main

import (
	"github.com/spf13/cobra"

	"github.com/shale-search/shale/internal/collection"
)

func collectionDelete() *cobra.Command {
	var wait waitFlag
	c := &cobra.Command{
		Use:     "delete COLLECTION ID...",
		Short:   "Delete documents by their ids",
		Long:    "Delete removes documents and prints how many there were. Ids that no document has are passed over.",
		Example: "  shale collection delete my.docs a1 a2 7",
		Args:    collectionAndIDs,
	}
	wait.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return withCollection(c, &wait, args[0], func(x *collection.Collection) error {
			n, err := x.Delete(c.Context(), parseIDs(args[1:])...)
			if err != nil {
				return err
			}
			return tell(c, false, nil, "%s: %s deleted", args[0], many(n, "document"))
		})
	}
	return c
}
