package main

import (
	"github.com/spf13/cobra"

	"github.com/shale-search/shale/collection"
)

func collectionCount() *cobra.Command {
	var filter filterFlag
	var at openFlags
	c := &cobra.Command{
		Use:   "count COLLECTION",
		Short: "Print the number of documents",
		Long: `Count prints how many documents there are, or how many satisfy a filter. The number is exact.

` + aboutFilters,
		Example: `  shale collection count my.docs
  shale collection count my.docs ` + filterExample,
		Args: collectionArg,
	}
	filter.add(c, "count only documents that")
	at.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := filter.parse(c); err != nil {
			return err
		}
		return withCollection(c, &at, args[0], func(x *collection.Collection) (err error) {
			n := 0
			if !filter.given {
				n, err = x.Count()
			} else {
				n, err = x.CountWhere(c.Context(), filter.parsed)
			}
			if err != nil {
				return err
			}
			return tell(c, false, nil, "%d", n)
		})
	}
	return c
}
