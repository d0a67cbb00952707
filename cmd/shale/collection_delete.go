package main

import (
	"github.com/spf13/cobra"

	"github.com/shale-search/shale/collection"
)

func collectionDelete() *cobra.Command {
	var filter filterFlag
	var at openFlags
	c := &cobra.Command{
		Use:   "delete COLLECTION ID...",
		Short: "Delete documents by their ids or by a filter",
		Long: `Delete removes documents and prints how many there were. Ids that no document has are passed over.

` + aboutFilters,
		Example: `  shale collection delete my.docs a1 a2 7
  shale collection delete my.docs ` + filterExample,
		Args: collectionWithIDs,
	}
	filter.add(c, "delete the documents that")
	at.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := oneChoice(c, &filter, args[1:]); err != nil {
			return err
		}
		return withCollection(c, &at, args[0], func(x *collection.Collection) (err error) {
			n := 0
			if filter.given {
				n, err = x.DeleteWhere(c.Context(), filter.parsed)
			} else {
				n, err = x.Delete(c.Context(), parseIDs(args[1:])...)
			}
			if err != nil {
				return err
			}
			return tell(c, false, nil, "%s: %s deleted", args[0], many(n, "document"))
		})
	}
	return c
}

// oneChoice parses the filter of a command that changes documents by IDs or by a filter: one of them must be given.
func oneChoice(c *cobra.Command, filter *filterFlag, ids []string) error {
	if c.Flags().Changed("filter") == (len(ids) > 0) {
		return usagef(c, "name documents by IDs or by --filter, not by both")
	}
	return filter.parse(c)
}
